"""Change a file's dates."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.utime(world["secret"], (0, 0))
