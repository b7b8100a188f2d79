"""Change the dates of an open file."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.utime(os.open(__file__, os.O_RDONLY), (0, 0))
