"""Lower another process's limits until the kernel ends it."""
# contained: Operation not permitted

import resource


def attack(world, call):
    resource.prlimit(world["victim"], resource.RLIMIT_CPU, (0, 0))
