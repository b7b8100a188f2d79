"""Kill another process of the same user."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.kill(world["victim"], 9)
