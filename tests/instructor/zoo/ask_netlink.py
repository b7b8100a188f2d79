"""Ask the kernel about the machine's network."""
# contained: Operation not permitted

import socket


def attack(world, call):
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
