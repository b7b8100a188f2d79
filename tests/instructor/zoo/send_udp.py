"""Send a datagram."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"mine", ("127.0.0.1", world["port"]))
