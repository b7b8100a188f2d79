"""Fill the disk with one file."""
# contained: File too large


def attack(world, call):
    open("big", "wb").write(bytes(3 << 20))
