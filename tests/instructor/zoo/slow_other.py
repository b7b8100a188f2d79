"""Slow another process down."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.setpriority(os.PRIO_PROCESS, world["victim"], 19)
