"""Connect to an abstract Unix socket, which no folder protects."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.socket(socket.AF_UNIX).connect("\0" + world["abstract"])
