"""Raise its own limits."""
# contained: maximum limit

import resource


def attack(world, call):
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))
