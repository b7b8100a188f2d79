"""Store something beside a file's content, with a call that is newer than the filter."""
# contained: not implemented


def attack(world, call):
    call(463, -100, world["secret"].encode(), 0, b"user.mine", bytes(16), 16)
