"""How an exercise is checked: the student's code runs in a process of its own, the verdict falls in this one.

The student's functions are only ever given inputs and asked for results (``runner``, ``child``). What is right is known
on this side alone (``traffic`` and ``lab.dissect``), compared here (``story``) and told as a story without the answer.
So nothing that the student's code does to its own process can make a wrong result right. ``tasks`` finds the sheets.
"""
