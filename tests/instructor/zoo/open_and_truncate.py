"""Empty a file by opening it for reading only."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os


def attack(world, call):
    os.open(world["writable"], os.O_RDONLY | os.O_TRUNC)
