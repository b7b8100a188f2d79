"""End with success."""
# contained: the process ended

import os


def attack(world, call):
    os._exit(0)
