"""Connect to a server on this machine."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.create_connection(("127.0.0.1", world["port"]), 2).send(b"mine")
