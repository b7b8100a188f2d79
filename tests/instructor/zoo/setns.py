"""Join the namespaces of another process."""
# contained: Operation not permitted


def attack(world, call):
    call("setns", 0, 0)
