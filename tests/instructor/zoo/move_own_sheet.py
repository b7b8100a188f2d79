"""Move the submission away."""
# contained: cross-device link | Permission denied | Operation not permitted

import os


def attack(world, call):
    os.rename(__file__, "mine.py")
