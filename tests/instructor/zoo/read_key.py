"""Read a key of the grader's keyring, and leave one."""
# contained: Operation not permitted

import ctypes


def attack(world, call):
    key = ctypes.CDLL(None).syscall(world["numbers"]["keyctl"], 10, -3, b"user", b"secret", 0)
    assert key <= 0
    call("add_key", b"user", b"planted", b"1", 1, -3)
