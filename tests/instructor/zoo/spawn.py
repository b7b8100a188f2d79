"""Start a program with posix_spawn."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.posix_spawn("/usr/bin/sleep", ["sleep", "1000000"], {})
