"""Keep a second name of a file."""
# contained: cross-device link | Permission denied | Operation not permitted

import os


def attack(world, call):
    os.link(__file__, "mine.py")
