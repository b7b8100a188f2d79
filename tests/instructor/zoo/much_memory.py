"""Take all memory."""
# contained: more memory than one task may use


def attack(world, call):
    return bytearray(64 << 30)
