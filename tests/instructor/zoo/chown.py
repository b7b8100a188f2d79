"""Give a file to another user."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.chown(world["secret"], os.getuid(), os.getgid())
