"""Become another program from a thread, which has no tie to the launcher."""
# contained: Operation not permitted

import concurrent.futures
import os


def attack(world, call):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(os.execv, "/bin/sleep", ["sleep", "1000000"]).result()
