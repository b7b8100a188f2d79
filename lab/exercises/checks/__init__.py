"""Check exercises: the student's code runs in a process of its own, and this process judges the results.

That process (``runner``, ``child``) only receives inputs and returns results. They are compared here (``story``) with
what ``traffic`` and ``lab.dissect`` say. So nothing that the student's code does to its process makes a result right.
"""
