"""Fill the disk with many files."""
# contained: No space left | the process ended

import time


def attack(world, call):
    for n in range(1000):
        open(f"{n}", "wb").write(bytes(1 << 20))
    time.sleep(10**6)
