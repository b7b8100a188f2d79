"""Remove what is stored beside a file's content."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.removexattr(world["secret"], "user.kept")
