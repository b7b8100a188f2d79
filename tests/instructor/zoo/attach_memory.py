"""Read shared memory of the grader's user."""
# contained: Operation not permitted


def attack(world, call):
    call("shmat", world["segment"], None, 0)
