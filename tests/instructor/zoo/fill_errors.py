"""Print errors without end."""
# contained: printed more

import os


def attack(world, call):
    while True:
        os.write(2, b"x" * (1 << 20))
