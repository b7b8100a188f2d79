"""Fill the disk with links."""
# contained by namespaces: No space left
# contained by landlock: Permission denied

import os


def attack(world, call):
    for n in range(100_000):
        os.symlink("x" * 4000, f"{n}")
