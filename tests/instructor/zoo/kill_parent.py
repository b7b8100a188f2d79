"""Kill the parent, which watches."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.kill(os.getppid() or 1, 9)
