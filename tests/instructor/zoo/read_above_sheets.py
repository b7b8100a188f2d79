"""Climb from the folder of the sheets to those above it."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os


def attack(world, call):
    if os.path.exists("/proc/self/fd/63"):  # where Landlock's launcher leaves it
        return os.listdir("/proc/self/fd/63/..")
    return os.listdir("/../home")
