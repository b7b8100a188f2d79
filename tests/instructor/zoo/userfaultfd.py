"""Stop the kernel in the middle of a copy."""
# contained: Operation not permitted


def attack(world, call):
    call("userfaultfd", 0)
