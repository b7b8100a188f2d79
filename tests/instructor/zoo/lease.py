"""Make others wait for a file (a lease)."""
# contained: Operation not permitted

import fcntl
import os


def attack(world, call):
    fcntl.fcntl(os.open(__file__, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
