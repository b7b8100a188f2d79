"""Give another process's disk accesses the lowest priority."""
# contained: Operation not permitted


def attack(world, call):
    call("ioprio_set", 1, world["victim"], 3 << 13)
