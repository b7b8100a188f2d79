"""The widgets and measures that the chat's windows share."""

import contextlib
import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk
from typing import Any

GOOD, BAD = "#00600f", "#b00000"
PAD, HALF_PAD = "6p", "3p"  # distances in points, as fonts are: so all grows with the screen's resolution
# Under the colours of a text's lines, also where a desktop is dark.
PAPER: dict[str, Any] = {"background": "white", "foreground": "#111111"}


class ReadOnlyText(tk.Text):
    """A text that only the program writes: see ``writing``."""

    def __init__(self, parent: tk.Misc, tags: dict[str, dict[str, Any]], **options: Any):
        super().__init__(parent, state="disabled", height=16, **PAPER, **options)
        for tag, look in tags.items():
            self.tag_configure(tag, **look)
        self._at_end = True
        self.bind("<Configure>", lambda _: self._keep_end_in_sight())

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Allow changes meanwhile, and keep the end in sight, but not from a reader who has scrolled back."""
        # Before the text is on the screen it has no size, and no end to be at.
        self._at_end = self.yview()[1] == 1.0 or not self.winfo_viewable()
        self.configure(state="normal")
        yield
        self.configure(state="disabled")
        self._keep_end_in_sight()

    def _keep_end_in_sight(self) -> None:
        if self._at_end:
            self.see("end")


def bind_action(widget: tk.Misc, event: str, action: Callable[[], str | None]) -> None:
    """Call ``action`` at an event; where it returns "break", the event goes no further."""
    widget.bind(event, lambda _: action())


def grid_with_scrollbar(box: tk.Text | tk.Listbox, row: int, column: int, **options: Any) -> None:
    """Put a box into its parent's grid, and a scrollbar to its right."""
    box.grid(row=row, column=column, **options)
    scrollbar = ttk.Scrollbar(box.master, command=box.yview)
    scrollbar.grid(row=row, column=column + 1, sticky="ns")
    box.configure(yscrollcommand=scrollbar.set)


def wrap_to_width(label: ttk.Label) -> None:
    """Let a label's text take further lines where it is too long for one."""
    edges = label.winfo_pixels(PAD)
    label.bind("<Configure>", lambda event: label.configure(wraplength=max(1, event.width - edges)))
