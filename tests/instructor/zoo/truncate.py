"""Empty a file by its path."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.truncate(world["writable"], 0)
