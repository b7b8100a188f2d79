"""Kill every process that it may."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.kill(-1, 9)
