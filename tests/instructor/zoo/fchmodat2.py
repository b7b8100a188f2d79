"""Change a mode with a call that is newer than the filter."""
# contained: not implemented


def attack(world, call):
    call(452, -100, world["secret"].encode(), 0o777, 0)
