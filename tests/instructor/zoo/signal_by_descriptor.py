"""Hold on to a process by a descriptor, to signal it."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.pidfd_open(world["victim"])
