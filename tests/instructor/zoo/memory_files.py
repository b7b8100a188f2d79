"""Keep memory in files without a name."""
# contained: Operation not permitted

import os


def attack(world, call):
    kept = []
    while len(kept) < 1000:
        kept.append(os.memfd_create("x"))
        os.write(kept[-1], bytes(1 << 20))
