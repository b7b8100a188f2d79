"""How other threads feed a window: they put items on a queue, which the window's own thread looks at.

Widgets may only be touched by the thread that runs ``mainloop``, and that thread must never wait, or the
window freezes. So whatever waits happens in other threads: connecting in a thread of its own, receiving in the
client's. Each window drains a bounded batch of its queue with ``after()``, whose id it keeps so that
``destroy()`` can cancel it.
"""

import queue
import threading
import tkinter as tk
from typing import Any

from lab.chat.client import ChatClient
from lab.chat.login import ChatError

POLL_MS = 40  # how often a queue is looked at: 25 times a second seems immediate
BATCH = 200  # events taken at one look, so that a flood cannot freeze the window


class QueueReader(tk.Misc):
    """Mix-in for a widget that other threads feed: ``_take`` runs in the window's own thread."""

    _after_id: str | None = None

    def _watch(self, source: queue.SimpleQueue[Any]) -> None:
        for _ in range(BATCH):
            try:
                item = source.get_nowait()
            except queue.Empty:
                break
            self._take(item)
            if not self.winfo_exists():
                return
        self._looked()
        self._after_id = self.after(POLL_MS, self._watch, source)

    def _take(self, item: Any) -> None:
        raise NotImplementedError

    def _looked(self) -> None:
        """Called after each look at the queue."""

    def _stop_watching(self) -> None:
        if self._after_id is not None:
            self.after_cancel(self._after_id)
            self._after_id = None

    def destroy(self) -> None:
        self._stop_watching()
        super().destroy()


def connect_in_thread(client: ChatClient, results: queue.SimpleQueue[Any]) -> None:
    """Connect in a thread of its own, which puts the client, or the ChatError, on ``results``."""

    def connect() -> None:
        try:
            results.put(client.connect())
        except ChatError as error:
            results.put(error)

    threading.Thread(target=connect, daemon=True).start()
