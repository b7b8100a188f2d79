"""Ask for a key."""
# contained: Operation not permitted


def attack(world, call):
    call("request_key", b"user", b"secret", None, -3)
