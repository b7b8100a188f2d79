"""Stop, and never answer."""
# contained: Operation not permitted

import os
import signal


def attack(world, call):
    os.kill(os.getpid(), signal.SIGSTOP)
