"""Start a process with the bare call."""
# contained: Operation not permitted

import time


def attack(world, call):
    if call("clone", 17, 0, 0, 0, 0) == 0:  # SIGCHLD
        time.sleep(10**6)
