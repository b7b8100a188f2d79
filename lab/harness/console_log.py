"""What a server's console has printed, and a way to wait for a line of it."""

import threading

from lab.harness.tap import RecordingError

STEP_S = 10  # until a line must have been printed


class ConsoleLog:
    """Takes the lines of a server's console. ``wait_for`` is called by another thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.lines: list[str] = []

    def console(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, start: str) -> None:
        """Wait until a line begins with ``start``. Raises RecordingError where none does in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(line.startswith(start) for line in self.lines), STEP_S):
                raise RecordingError(f"the server never printed {start!r}; it printed {self.lines}")
