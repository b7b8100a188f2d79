"""Take semaphores of the system."""
# contained: Operation not permitted


def attack(world, call):
    call("semget", 0, 100, 0o1600)
