"""The chat box: every line of the conversation, its kinds distinguished by more than colour."""

import tkinter as tk
from tkinter import font

from lab.chat.chat_log import Line
from lab.chat.widgets import BAD, ReadOnlyText

INDENT = "48p"  # of the user's own lines

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


class ChatBox(ReadOnlyText):
    """A text from which one can copy; ``show`` adds a line."""

    def __init__(self, parent: tk.Misc):
        super().__init__(parent, TAGS, width=60, wrap="word", font="TkTextFont", spacing3="1.5p")
        bold, italic = (font.nametofont("TkTextFont").copy() for _ in range(2))
        bold.configure(weight="bold")
        italic.configure(slant="italic")
        self._fonts = (bold, italic)  # tkinter forgets fonts that nobody holds
        for tag, its_font in (("own", bold), ("trouble", bold), ("private", italic)):
            self.tag_configure(tag, font=its_font)
        self.tag_raise("sel")
        # A disabled box takes no focus by itself, and without it no Ctrl-C.
        self.bind("<Button-1>", lambda _: self.focus_set())
        self.copy_menu = tk.Menu(self, tearoff=False)
        self.copy_menu.add_command(label="Copy", command=lambda: self.event_generate("<<Copy>>"))
        for button in ("<Button-2>", "<Button-3>"):
            self.bind(button, lambda event: self.copy_menu.tk_popup(event.x_root, event.y_root))

    def show(self, line: Line, first_unread: bool = False) -> None:
        """Add a line at the end, after a mark if it is the first one that nobody has seen."""
        with self.writing():
            if first_unread and not self.tag_ranges("unread"):
                self.insert("end", "--- not read yet ---\n", "unread")
            self.insert("end", f"{line.clock}  ", ("clock", line.kind))
            self.insert("end", f"{line.text}\n", (line.kind, "past") if line.past else line.kind)

    def remove_unread_mark(self) -> None:
        if ranges := self.tag_ranges("unread"):
            with self.writing():
                self.delete(*ranges[:2])
