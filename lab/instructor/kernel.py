"""Calls of the Linux kernel that Python lacks and a sandbox needs. Standard library only."""

import ctypes
import os
import signal
import struct

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
CAPABILITY_VERSION_3 = 0x20080522


class SandboxError(OSError):
    """The system refuses a step; the text names it."""


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    if result < 0:
        raise SandboxError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def become(uid: int) -> None:
    """Change from root to an ordinary user."""
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise SandboxError(f"root cannot become user {uid}: {error.strerror}") from error
    set_dumpable(True)  # the change hid /proc/self, which the maps of IDs are written through,
    end_with_parent()  # and cleared the signal


def set_dumpable(may: bool) -> None:
    """Choose whether processes of the same user may trace this one and look into its /proc folder."""
    libc().prctl(PR_SET_DUMPABLE, int(may), 0, 0, 0)


def drop_capabilities() -> None:
    nothing = bytes(24)  # effective, permitted and inheritable
    check(libc().capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), nothing), "capset")
