"""Bind another process to one core."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.sched_setaffinity(world["victim"], {0})
