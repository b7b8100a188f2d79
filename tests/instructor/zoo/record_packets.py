"""Record the machine's packets."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
