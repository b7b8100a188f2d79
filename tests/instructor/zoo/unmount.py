"""Unmount what covers the old root."""
# contained: Operation not permitted


def attack(world, call):
    call("umount2", b"/", 2)
