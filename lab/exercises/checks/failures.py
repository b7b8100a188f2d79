"""Why a student's code returned no result. The text of each failure is one sentence."""

from pathlib import Path
from typing import Any

from lab.exercises.checks.runner import LONGEST_TEXT


class Failed(Exception):
    """The student's code returned no result; the text says why."""

    loading = False  # whether it failed before anything was called: then every task of the sheet fails alike


class NotAttempted(Failed):
    """The stub's own NotImplementedError."""


class Raised(Failed):
    """The student's code raised an exception of this ``kind``."""

    def __init__(self, text: str, kind: str):
        super().__init__(text)
        self.kind = kind


class TimeUp(Failed):
    """No answer in time: an endless loop, or a wait that never ends."""


class Died(Failed):
    """The process ended, flooded its output, took too much memory, or sent an invalid response."""


def failure_of(error: dict[str, Any], path: Path) -> Failed:
    """Return the failure that the runner describes in ``error``; ``path`` is the student's file."""
    kind, text = (str(error.get(name))[:LONGEST_TEXT] for name in ("kind", "text"))
    line = error.get("line")
    where = f" in line {line} of {path.name}" if isinstance(line, int) and 0 < line < 1 << 20 else ""
    if error.get("not_attempted"):
        return NotAttempted("not attempted")
    if kind == "ModuleNotFoundError":
        text += "; a sheet uses the standard library only"
    if error.get("importing"):
        failure = Raised(f"the file cannot be loaded: {kind}{where}: {text}", kind)
        failure.loading = True
        return failure
    if kind == "SystemExit":
        return Raised(f"it left the program (SystemExit{where}) instead of returning a result", kind)
    if kind == "MemoryError":
        return Raised(f"it needs more memory than one task may use (MemoryError{where})", kind)
    return Raised(f"{kind}{where}: {text}", kind)
