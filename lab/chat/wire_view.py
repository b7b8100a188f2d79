"""The wire view: every byte of the chat as the network has it, beside the chat or in a window of its own.

Plaintext stands on a red ground, a TLS record on a green one. Each title also says it in words, since not
everybody sees the colours. What is shown comes from ``lab.chat.wire_log``.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from lab.chat.widgets import PAD, ReadOnlyText, bind_action, pack_with_scrollbar, resize_on_screen
from lab.chat.wire_log import WireLog

TAGS = {
    "plain-title": {"background": "#f6d5d5", "foreground": "#7a0000"},
    "plain": {"background": "#fdf1f1", "foreground": "#3d0000"},
    "tls-title": {"background": "#cfe8d3", "foreground": "#00441b"},
    "tls": {"background": "#f0f8f1", "foreground": "#3b5a44"},
}
MAX_SHOWN_LINES = 4_000


class WireView(ttk.Frame):
    """A frame with a heading and the dump; ``refresh`` adds what is new."""

    close: Callable[[], None]  # undoes what was done to show it

    def __init__(self, parent: tk.Misc, log: WireLog):
        super().__init__(parent)
        self.heading = ttk.Label(self)
        self.heading.pack(anchor="w")
        # As wide as a line of the dump, which is never wrapped.
        box = ReadOnlyText(self, TAGS, width=72, wrap="none", font="TkFixedFont", takefocus=1)
        self.box = pack_with_scrollbar(box)
        self.follow(log)

    def follow(self, log: WireLog) -> None:
        """Show this log from its beginning, in place of the one before."""
        self.log = log
        self.shown = 0  # pieces, of all that there were
        seen = (
            "encrypted: an eavesdropper sees these records"
            if log.tls
            else "an eavesdropper reads all of this"
        )
        self.heading["text"] = f"On the Wire ({seen})"
        with self.box.writing():
            self.box.delete("1.0", "end")
        self.refresh()

    def refresh(self) -> None:
        new, self.shown = self.log.since(self.shown)
        if not new:
            return
        with self.box.writing():
            for piece in new:
                tag, mark = ("tls", "[locked] ") if piece.encrypted else ("plain", "[open]   ")
                self.box.insert("end", f"{mark}{piece.title}\n", f"{tag}-title")
                self.box.insert("end", "".join(f"{line}\n" for line in piece.dump()), tag)
            excess = int(self.box.index("end").split(".")[0]) - MAX_SHOWN_LINES
            if excess > 0:
                self.box.delete("1.0", f"{excess}.0")


def show_beside(chat: ttk.Frame, log: WireLog) -> WireView | None:
    """Show the wire beside the chat, in a window that is wider by as much; None where the screen is too narrow."""
    root = chat.winfo_toplevel()
    view = WireView(chat.master, log)
    view.update_idletasks()  # so that it knows its size
    more = view.winfo_reqwidth() + view.winfo_pixels(PAD)
    before, room = root.winfo_width(), root.maxsize()[0]
    smallest_width, smallest_height = root.minsize()
    if smallest_width + more > room:
        view.destroy()
        return None
    after = max(before, min(before + more, room))

    def close() -> None:
        view.destroy()
        root.minsize(smallest_width, smallest_height)
        if root.winfo_width() <= after:
            resize_on_screen(root, before, root.winfo_height())

    view.close = close
    root.minsize(smallest_width + more, smallest_height)
    resize_on_screen(root, after, root.winfo_height())
    view.pack(side="right", fill="y", padx=(PAD, 0), before=chat)  # the chat takes what is left
    return view


def show_in_a_window(chat: ttk.Frame, log: WireLog, toggle: Callable[[], None]) -> WireView:
    root, window = chat.winfo_toplevel(), tk.Toplevel(chat)
    window.title("On the Wire")
    window.protocol("WM_DELETE_WINDOW", toggle)
    bind_action(window, "<F2>", toggle)

    def return_keyboard() -> None:
        """Take it from the new window: its user wants to go on typing in the chat."""
        window.unbind("<FocusIn>")
        if widget := root.focus_lastfor():
            widget.focus_force()

    bind_action(window, "<FocusIn>", return_keyboard)
    view = WireView(window, log)
    view.configure(padding=PAD)
    view.pack(fill="both", expand=True)
    view.close = window.destroy
    return view
