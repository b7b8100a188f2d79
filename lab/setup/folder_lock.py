"""A lock on a folder between processes. The system releases it when its holder ends, however it ends."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Locked(OSError):
    """Another process holds the lock."""


@contextmanager
def folder_lock(folder: Path, wait: bool = False) -> Iterator[int]:
    """Hold the lock of ``folder`` inside the ``with``; yield the descriptor that holds it.

    If another process has it, wait for that one with ``wait``, otherwise raise Locked. On POSIX the folder itself is
    locked and nothing is left behind; Windows can lock files only, and gets one.
    """
    if os.name == "posix":
        file = os.open(folder, os.O_RDONLY)
    else:
        file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        _lock(file, wait)
        yield file
    finally:
        os.close(file)


def _lock(file: int, wait: bool) -> None:
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        else:
            import msvcrt

            mode = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK
            for attempt in range(60):  # LK_LOCK itself gives up after ten seconds
                try:
                    msvcrt.locking(file, mode, 1)
                    return
                except OSError:
                    if not wait or attempt == 59:
                        raise
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise Locked(f"another process holds the lock: {error.strerror}") from error
        # Some file systems (NFS) cannot lock: continue without.
