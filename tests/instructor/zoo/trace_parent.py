"""Trace the parent, which watches."""
# contained: Operation not permitted

import os


def attack(world, call):
    call("ptrace", 16, os.getppid() or 1, 0, 0)
