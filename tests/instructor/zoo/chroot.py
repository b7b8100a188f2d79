"""Leave the sandbox by a second root."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.chroot(".")
