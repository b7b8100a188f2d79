"""Take memory that processes could share."""
# contained: Cannot allocate memory

import mmap


def attack(world, call):
    kept = [mmap.mmap(-1, 100 << 20) for _ in range(8)]
    return len(kept)
