"""Call what is newer than the filter."""
# contained: not implemented


def attack(world, call):
    call(999)
