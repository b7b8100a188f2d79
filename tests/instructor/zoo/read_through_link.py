"""Read a file through a symbolic link."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os


def attack(world, call):
    os.symlink(world["secret"], "link")
    return open("link").read()
