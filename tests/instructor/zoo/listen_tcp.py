"""Listen for connections."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.create_server(("127.0.0.1", 0))
