"""What a server's console has printed, and a way to wait for a line of it."""

import threading

from lab.harness.tap import RecordingError

STEP_S = 10  # until a step's broadcast must have reached everyone


class ConsoleLog:
    """Stands in for the server's console, and can wait for a line of it."""

    def __init__(self):
        self._changed = threading.Condition()
        self.lines: list[str] = []

    def console(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, start: str) -> None:
        """Until a line begins with ``start``; raises RecordingError where none does in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(line.startswith(start) for line in self.lines), STEP_S):
                raise RecordingError(f"the server never printed {start!r}; it printed {self.lines}")
