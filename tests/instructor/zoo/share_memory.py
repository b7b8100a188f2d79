"""Take memory outside of the address space."""
# contained: Operation not permitted


def attack(world, call):
    call("shmget", 0, 400 << 20, 0o1600)
