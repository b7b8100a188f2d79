"""Delete the submission, so that it cannot be checked again."""
# contained by namespaces: Read-only file system
# contained by landlock: Permission denied

import os


def attack(world, call):
    os.unlink(__file__)
