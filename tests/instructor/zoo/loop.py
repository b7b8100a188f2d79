"""Loop for ever, deaf to signals."""
# contained: took longer
# slow

import signal


def attack(world, call):
    for n in range(1, 65):
        try:
            signal.signal(n, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass
