"""Change the mode of an open file."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.fchmod(os.open(__file__, os.O_RDONLY), 0o777)
