"""Kill the process group."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.kill(0, 9)
