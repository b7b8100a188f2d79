"""Keep the grader's pipes open by many descriptors."""
# contained: took longer | the process ended
# slow

import os
import time


def attack(world, call):
    for n in range(3, 10):
        try:
            for m in range(20, 60):
                os.dup2(n, m)
        except OSError:
            pass
    os.closerange(0, 20)
    time.sleep(10**6)
