"""Answer without end."""
# contained: larger than

import os


def attack(world, call):
    while True:
        for n in range(3, 10):
            try:
                os.write(n, b"x" * (1 << 20))
            except OSError:
                pass
