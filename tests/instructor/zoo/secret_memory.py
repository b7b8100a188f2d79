"""Take memory that even the kernel cannot see."""
# contained: Operation not permitted


def attack(world, call):
    call("memfd_secret", 0)
