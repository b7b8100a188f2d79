"""Take much memory in each of many processes."""
# contained: Operation not permitted

import os
import time


def attack(world, call):
    for _ in range(8):
        if os.fork() == 0:
            data = bytearray(b"x" * (400 << 20))
            time.sleep(100 + len(data))
    time.sleep(100)
