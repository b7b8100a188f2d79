"""List a process and everything that it started, measure their memory, and kill them.

Without /proc (Linux), only the process itself is known. A process whose parent has ended is no longer found; in the
sandbox, the pid namespace keeps it in the tree.
"""

import contextlib
import os
import signal
from pathlib import Path

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """Return the process and all its descendants, parents first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):  # it has just ended
            for thread in (PROC / str(one) / "task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def holds_more_than(pid: int, size: int) -> bool:
    """Return whether the tree uses more than ``size`` bytes of memory. Shared memory counts once (PSS)."""
    processes = tree(pid)
    if sum(map(_resident, processes)) <= size:
        return False  # quick, and never an underestimate
    return sum(map(_proportional, processes)) > size


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return _resident(pid)  # not readable: another user's


def kill(pid: int) -> None:
    """Kill the tree and everything else in the process group of ``pid``."""
    if os.name != "posix":
        os.kill(pid, signal.SIGTERM)  # which is TerminateProcess there
        return
    for one in tree(pid):
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
