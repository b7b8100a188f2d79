"""Send process 1 every signal."""
# contained: it lives

import ctypes


def attack(world, call):
    libc = ctypes.CDLL(None)
    assert all(libc.kill(1, n) for n in range(1, 65))
    raise ValueError("it lives")
