"""Read the kernel's messages."""
# contained: Operation not permitted


def attack(world, call):
    call("syslog", 3, bytes(100), 100)
