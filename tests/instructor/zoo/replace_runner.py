"""Replace the functions of the runner."""
# contained: invalid response

import sys


def attack(world, call):
    sys.modules["runner"].pack = lambda value: {"f": "no number"}
