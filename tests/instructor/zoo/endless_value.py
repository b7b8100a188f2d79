"""Return a list that holds itself."""
# contained: RecursionError


def attack(world, call):
    loop = []
    loop.append(loop)
    return loop
