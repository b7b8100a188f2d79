"""Become another program by an open file."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.execve(os.open(__file__, os.O_RDONLY), ["mine"], {})
