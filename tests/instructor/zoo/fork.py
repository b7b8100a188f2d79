"""Start a process that stays."""
# contained: Operation not permitted

import os
import time


def attack(world, call):
    if os.fork() == 0:
        os.setsid()
        time.sleep(10**6)
