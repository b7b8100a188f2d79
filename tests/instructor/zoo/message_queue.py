"""Fill message queues."""
# contained: Operation not permitted


def attack(world, call):
    call("msgget", 0, 0o1600)
