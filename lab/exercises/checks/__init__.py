"""Check exercises: the student's code runs in a process of its own, and this process judges the results.

The student's functions only receive inputs and return results (``runner``, ``child``). The right results are
known on this side only (``traffic`` and ``lab.dissect``). They are compared here (``story``), and a failure
is reported as a story that does not contain the answer. So nothing that the student's code does to its own
process can make a wrong result right. ``tasks`` finds the sheets.
"""
