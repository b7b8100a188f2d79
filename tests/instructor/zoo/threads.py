"""Start threads without end."""
# contained: can't start new thread | the process ended

import threading
import time


def attack(world, call):
    kept = []
    while len(kept) < 1000:
        kept.append(threading.Thread(target=time.sleep, args=[10**6], daemon=True))
        kept[-1].start()
    time.sleep(10**6)
