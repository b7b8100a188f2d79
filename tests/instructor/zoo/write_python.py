"""Change Python's own library."""
# contained by namespaces: Read-only file system | Permission denied
# contained by landlock: Permission denied

import os


def attack(world, call):
    open(os.__file__, "a").write("mine")
