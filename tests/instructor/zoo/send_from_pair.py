"""Send a datagram to a Unix socket from one of a pair."""
# contained: Operation not permitted

import socket


def attack(world, call):
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"mine", world["datagrams"])
