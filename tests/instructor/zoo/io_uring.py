"""Do everything through a ring that no filter sees."""
# contained: Operation not permitted


def attack(world, call):
    call("io_uring_setup", 8, bytes(120))
