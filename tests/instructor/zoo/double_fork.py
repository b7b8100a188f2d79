"""Start a process that nobody waits for."""
# contained: Operation not permitted

import os
import time


def attack(world, call):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(10**6)
        os._exit(0)
    time.sleep(10**6)
