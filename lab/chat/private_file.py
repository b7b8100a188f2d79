"""A file with secrets in it (accounts, a history, keys): readable by its owner alone."""

import contextlib
import os
import stat
from pathlib import Path


def make_private(path: Path | str) -> None:
    """Make the file if it is not there, and take it away from all but its owner (mode 0600). Raises OSError.

    SQLite gives its journals the mode of the database. On Windows a file has the permissions of its folder.
    """
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        if os.name == "posix" and stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # never /dev/null
            with contextlib.suppress(PermissionError):  # somebody else's file, which we may write
                os.fchmod(file.fileno(), 0o600)
