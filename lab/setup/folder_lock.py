"""Lock a folder for one process. The system releases the lock when its holder ends, however it ends."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path


class Locked(OSError):
    """Somebody else holds the lock."""


@contextmanager
def folder_lock(folder: Path, wait: bool = False):
    """Be the only one at work in ``folder`` inside the ``with``.

    With ``wait`` until the other one has done; without, raises Locked. Yield the descriptor that holds the lock. On POSIX
    the folder itself is locked and nothing is left behind; Windows can lock files alone, and gets one.
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
        if os.name == "posix":
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
            raise Locked("somebody else is at it") from error
        # Some file systems cannot lock (NFS): go on without.
