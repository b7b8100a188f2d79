"""Lower the limits of process 1."""
# contained: Operation not permitted

import resource


def attack(world, call):
    resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))
