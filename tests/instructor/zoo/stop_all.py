"""Stop every process that it may."""
# contained: Operation not permitted

import os
import signal


def attack(world, call):
    for pid in (0, -1):
        os.kill(pid, signal.SIGSTOP)
