"""The chat box: every line of the conversation, its kinds distinguished by more than colour."""

import tkinter as tk
from tkinter import font
from typing import Any

from lab.chat.chat_log import Line

BAD = "#b00000"
PAD, HALF_PAD = "6p", "3p"  # distances in points, as fonts are: so all grows with the screen's resolution
INDENT = "48p"  # of the user's own lines
PAPER: dict[str, Any] = {
    "background": "white",
    "foreground": "#111111",
}  # under the colours below, also where a desktop is dark

# Place, type and wording differ as well as colour, since not everybody sees that.
TAGS = {
    "clock": {"foreground": "#6b6b6b"},
    "own": {"foreground": "#0b3d91", "lmargin1": INDENT, "lmargin2": INDENT},
    "other": {"foreground": "#111111"},
    "private": {"foreground": "#5b2a86", "background": "#f3ecfa"},
    "notice": {"foreground": "#555555", "justify": "center"},
    "trouble": {"foreground": BAD, "justify": "center"},
    "past": {"foreground": "#6b6b6b"},
    "unread": {"foreground": BAD, "justify": "center"},
}


class ChatBox(tk.Text):
    """A read-only text from which one can copy; ``show`` adds a line and keeps the end in sight."""

    def __init__(self, parent: tk.Misc):
        super().__init__(
            parent, width=60, height=16, wrap="word", state="disabled", font="TkTextFont", spacing3="1.5p"
        )
        self.configure(**PAPER)
        bold, italic = (font.nametofont("TkTextFont").copy() for _ in range(2))
        bold.configure(weight="bold")
        italic.configure(slant="italic")
        self._fonts = (bold, italic)  # tkinter forgets fonts that nobody holds
        for tag, options in TAGS.items():
            self.tag_configure(tag, **options)
        self.tag_configure("own", font=bold)
        self.tag_configure("trouble", font=bold)
        self.tag_configure("private", font=italic)
        self.tag_raise("sel")
        self._at_end = True
        self.bind("<Configure>", lambda _: self._keep_end_in_sight())
        # A disabled box takes no focus by itself, and without it no Ctrl-C.
        self.bind("<Button-1>", lambda _: self.focus_set())
        self.copy_menu = tk.Menu(self, tearoff=False)
        self.copy_menu.add_command(label="Copy", command=lambda: self.event_generate("<<Copy>>"))
        for button in ("<Button-2>", "<Button-3>"):
            self.bind(button, lambda event: self.copy_menu.tk_popup(event.x_root, event.y_root))

    def show(self, line: Line, first_unread: bool = False) -> None:
        """Add a line at the end, after a mark if it is the first one that nobody has seen."""
        self._at_end = self.yview()[1] == 1.0  # a reader who has scrolled back stays there
        self.configure(state="normal")
        if first_unread and not self.tag_ranges("unread"):
            self.insert("end", "--- not read yet ---\n", "unread")
        tags = (line.kind, "past") if line.past else (line.kind,)
        self.insert("end", f"{line.clock}  ", ("clock", *tags[:1]))
        self.insert("end", f"{line.text}\n", tags)
        self.configure(state="disabled")
        self._keep_end_in_sight()

    def _keep_end_in_sight(self) -> None:
        if self._at_end:
            self.see("end")

    def remove_unread_mark(self) -> None:
        if ranges := self.tag_ranges("unread"):
            self.configure(state="normal")
            self.delete(*ranges[:2])
            self.configure(state="disabled")
