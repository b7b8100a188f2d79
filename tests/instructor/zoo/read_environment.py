"""Read the environment of the parent process, which may hold passwords."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os


def attack(world, call):
    return open(f"/proc/{os.getppid()}/environ").read()
