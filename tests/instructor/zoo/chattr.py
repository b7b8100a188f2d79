"""Make a file immutable."""
# contained: Operation not permitted

import fcntl
import os
import struct


def attack(world, call):
    fcntl.ioctl(os.open(__file__, os.O_RDONLY), 0x40086602, struct.pack("l", 0x10))
