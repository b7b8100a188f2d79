"""Open a file to all."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.chmod(world["secret"], 0o777)
