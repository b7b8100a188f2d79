"""Connect to a Unix socket by its path."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.socket(socket.AF_UNIX).connect(world["socket"])
