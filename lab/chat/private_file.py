"""A file with secrets in it (accounts, a history, keys): readable by its owner alone."""

import contextlib
import os
import stat
from pathlib import Path


def make_private(path: Path | str) -> None:
    """Make the file if it is not there, and take it away from all but its owner (mode 0600). Raises OSError.

    SQLite gives its journals the mode of the database. On Windows a file has the permissions of its folder.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if os.name == "posix" and stat.S_ISREG(os.fstat(descriptor).st_mode):  # never /dev/null
            with contextlib.suppress(PermissionError):  # somebody else's file, which we may write
                os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
