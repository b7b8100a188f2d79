"""List the other submissions."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os


def attack(world, call):
    return os.listdir(world["folder"])
