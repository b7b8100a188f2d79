"""What the chat's windows are made of: measures, boxes, and the way in which other threads feed a window.

Widgets may only be touched by the thread that runs ``mainloop``, and that thread must never wait, or the window
freezes. So whatever waits happens in other threads: connecting in a thread of its own, receiving in the client's.
They put items on a queue, from which each window takes a bounded batch now and then, see ``Window``.
"""

import contextlib
import queue
import threading
import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import font, ttk
from typing import Any, TypeVar

from lab.chat.chat_log import Line
from lab.chat.features.cures import client_for
from lab.chat.login import ChatError, Login

POLL_MS = 40  # how often a queue is looked at: 25 times a second seems immediate
BATCH = 200  # items taken at one look, so that a flood cannot freeze the window
GOOD, BAD = "#00600f", "#b00000"
PAD, ROW_PAD = "6p", "4p"  # distances in points, as fonts are: so all grows with the screen's resolution
INDENT = "48p"  # of the user's own lines
# Under the colours of a text's lines, also where a desktop is dark.
PAPER: dict[str, Any] = {"background": "white", "foreground": "#111111"}
# Place, type and wording differ as well as colour, since not everybody sees that.
CHAT_TAGS = {
    "clock": {"foreground": "#6b6b6b"},
    "own": {"foreground": "#0b3d91", "lmargin1": INDENT, "lmargin2": INDENT},
    "other": {"foreground": "#111111"},
    "private": {"foreground": "#5b2a86", "background": "#f3ecfa"},
    "notice": {"foreground": "#555555", "justify": "center"},
    "trouble": {"foreground": BAD, "justify": "center"},
    "past": {"foreground": "#6b6b6b"},
    "unread": {"foreground": BAD, "justify": "center"},
}
W = TypeVar("W", bound=tk.Widget)
Box = TypeVar("Box", bound=tk.Text | tk.Listbox)


class Window(ttk.Frame):
    """All that a window shows. Other threads feed it through ``inbox``: ``take`` runs in the window's own thread."""

    inbox: queue.SimpleQueue[Any]
    _after_id: str | None = None

    def __init__(self, root: tk.Tk, padding: str):
        super().__init__(root, padding=padding)
        self.root = root
        self.pack(fill="both", expand=True)

    def read_inbox(self) -> None:
        """Take what is there, and look again and again from now on."""
        for _ in range(BATCH):
            if self.inbox.empty():  # nobody else takes from it
                break
            self.take(self.inbox.get())
            if not self.winfo_exists():
                return
        self._after_id = self.after(POLL_MS, self.read_inbox)

    def take(self, item: Any) -> None:
        raise NotImplementedError

    def connect_in_thread(self, login: Login) -> None:
        """Connect in a thread of its own, which puts the client, or the ChatError, into the inbox."""
        inbox = self.inbox

        def connect() -> None:
            try:
                inbox.put(client_for(login).connect())
            except ChatError as error:
                inbox.put(error)

        threading.Thread(target=connect, daemon=True).start()

    def destroy(self) -> None:
        if self._after_id is not None:
            self.after_cancel(self._after_id)
        super().destroy()


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


class ChatBox(ReadOnlyText):
    """Every line of the conversation, from which one can copy; ``show`` adds a line."""

    def __init__(self, parent: tk.Misc):
        super().__init__(parent, CHAT_TAGS, width=60, wrap="word", font="TkTextFont", spacing3="1.5p")
        bold, italic = (font.nametofont("TkTextFont").copy() for _ in range(2))
        bold.configure(weight="bold")
        italic.configure(slant="italic")
        self._fonts = (bold, italic)  # tkinter forgets fonts that nobody holds
        for tag, its_font in (("own", bold), ("trouble", bold), ("private", italic)):
            self.tag_configure(tag, font=its_font)
        self.tag_raise("sel")
        # A disabled box takes no focus by itself, and without it no Ctrl-C.
        self.bind("<Button-1>", lambda _: self.focus_set())
        menu = tk.Menu(self, tearoff=False)
        menu.add_command(label="Copy", command=lambda: self.event_generate("<<Copy>>"))
        for button in ("<Button-2>", "<Button-3>"):
            self.bind(button, lambda event: menu.tk_popup(event.x_root, event.y_root))

    def show(self, line: Line, first_unread: bool) -> None:
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


class TextBox(ttk.Entry):
    """A box in which people type one line."""

    def set(self, text: str) -> None:
        self.delete(0, "end")
        self.insert(0, text)


def bind_action(widget: tk.Misc, event: str, action: Callable[[], str | None]) -> None:
    """Call ``action`` at an event; where it returns "break", the event goes no further."""
    widget.bind(event, lambda _: action())


def put(widget: W, row: int, column: int = 0, sticky: str = "ew", **options: Any) -> W:
    """Put a widget into its parent's grid, with a gap above and to the left, and return it."""
    left, above = PAD if column else 0, ROW_PAD if row else 0
    widget.grid(row=row, column=column, sticky=sticky, padx=(left, 0), pady=(above, 0), **options)
    return widget


def show(widget: tk.Widget, shown: bool) -> None:
    """Show a widget at its place in the grid, or hide it."""
    if shown:
        widget.grid()
    else:
        widget.grid_remove()


def enable(widget: ttk.Widget, enabled: bool = True) -> None:
    widget.state(["!disabled" if enabled else "disabled"])


def pack_with_scrollbar(box: Box) -> Box:
    """Fill the parent with a box and, to its right, a scrollbar; return the box."""
    scrollbar = ttk.Scrollbar(box.master, command=box.yview)
    scrollbar.pack(side="right", fill="y")
    box.configure(yscrollcommand=scrollbar.set)
    box.pack(side="left", fill="both", expand=True)
    return box


def wrap_to_width(label: ttk.Label) -> None:
    """Let a label's text take further lines where it is too long for one."""
    edges = label.winfo_pixels(PAD)
    label.bind("<Configure>", lambda event: label.configure(wraplength=max(1, event.width - edges)))


def resize_on_screen(window: tk.Tk | tk.Toplevel, width: int, height: int) -> None:
    """Give a window a size, and move it so that all of it is seen."""
    left, upper = map(int, window.geometry().split("+")[1:])  # 560x380+20+-5
    side, top = window.winfo_rootx() - left, window.winfo_rooty() - upper  # of the frame around it
    x = max(0, min(left, window.winfo_screenwidth() - width - 2 * side))
    y = max(0, min(upper, window.winfo_screenheight() - height - 2 * top))  # the frame below is not as high
    window.geometry(f"{width}x{height}" if (x, y) == (left, upper) else f"{width}x{height}+{x}+{y}")
    window.update_idletasks()  # sent now: a late answer to an earlier request would replace this one
