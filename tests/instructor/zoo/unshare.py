"""Become root in a user namespace of its own."""
# contained: Operation not permitted


def attack(world, call):
    call("unshare", 0x10000000)
