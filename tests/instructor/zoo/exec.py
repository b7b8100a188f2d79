"""Become another program, which no longer ends with the grader."""
# contained: Operation not permitted

import os


def attack(world, call):
    for n in range(3, 10):
        try:
            os.set_inheritable(n, True)
        except OSError:
            pass
    os.execv("/bin/sleep", ["sleep", "1000000"])
