"""Adopt orphans, fork until it is tired, leave the session, and wait."""
# contained: Operation not permitted

import ctypes
import os
import time


def attack(world, call):
    ctypes.CDLL(None).prctl(36, 1)
    os.setsid()
    burners = [os.fork() for _ in range(2)]
    while 0 in burners:
        os.setpgid(0, 0)
    time.sleep(10**6)
