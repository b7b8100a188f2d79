"""Let a pipe send another process SIGKILL."""
# contained: Operation not permitted

import fcntl
import os


def attack(world, call):
    readable, writable = os.pipe()
    fcntl.fcntl(readable, fcntl.F_SETOWN, world["victim"])
    fcntl.fcntl(readable, 10, 9)  # F_SETSIG
    fcntl.fcntl(readable, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writable, b"now")
