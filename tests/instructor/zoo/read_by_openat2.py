"""Open a file with a call that a filter for open and openat forgets."""
# contained by namespaces: No such file
# contained by landlock: Permission denied

import os
import struct


def attack(world, call):
    how = struct.pack("=3Q", os.O_RDONLY, 0, 0)
    return os.read(call(437, -100, world["secret"].encode(), how, len(how)), 100)
