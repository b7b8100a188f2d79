"""Start a process with the call whose flags a filter cannot see."""
# contained: not implemented


def attack(world, call):
    call(435, bytes(64), 64)
