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
SMALLEST_CHAT = "420p", "285p"  # width and height of its window, without the wire


class WireView(ttk.Frame):
    """A frame with a heading and the dump; ``refresh`` adds what is new."""

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


class WirePanes(ttk.Frame):
    """The chat, and on request the wire: beside it, or in its own window on a screen too narrow for both."""

    def __init__(self, parent: tk.Misc, toggle: Callable[[], None]):
        super().__init__(parent)
        self.root, self.toggle = parent.winfo_toplevel(), toggle
        self.view: WireView | None = None
        self.window: tk.Toplevel | None = None  # around the view, where it has one
        self._widened = (0, 0)  # the width of the chat's window before the wire was shown, and with it
        self.smallest = tuple(self.winfo_pixels(points) for points in SMALLEST_CHAT)
        self.chat = ttk.Frame(self)
        self.chat.pack(side="left", fill="both", expand=True)

    def fit_chat(self) -> None:
        """Make the window as large as the chat wants it, once that is built."""
        self.update_idletasks()
        self.root.minsize(*self.smallest)
        resize_on_screen(self.root, self.root.winfo_reqwidth(), self.root.winfo_reqheight())

    def show_wire(self, log: WireLog) -> None:
        self.view = WireView(self, log)
        self.update_idletasks()  # so that the view knows its size
        more = self.view.winfo_reqwidth() + self.winfo_pixels(PAD)
        room, width = self.root.maxsize()[0], self.root.winfo_width()
        if self.smallest[0] + more > room:
            self.view.destroy()
            self._show_in_a_window(log)
            return
        self._widened = width, max(width, min(width + more, room))
        self.root.minsize(self.smallest[0] + more, self.smallest[1])
        resize_on_screen(self.root, self._widened[1], self.root.winfo_height())
        self.view.pack(side="right", fill="y", padx=(PAD, 0), before=self.chat)  # the chat takes what is left

    def _show_in_a_window(self, log: WireLog) -> None:
        self.window = tk.Toplevel(self)
        self.window.title("On the Wire")
        self.window.protocol("WM_DELETE_WINDOW", self.toggle)
        bind_action(self.window, "<F2>", self.toggle)
        self.window.bind("<FocusIn>", self._return_keyboard)
        self.view = WireView(self.window, log)
        self.view.configure(padding=PAD)
        self.view.pack(fill="both", expand=True)

    def _return_keyboard(self, _: object) -> None:
        """Take the keyboard from the new window: its user wants to go on typing in the chat."""
        if self.window:
            self.window.unbind("<FocusIn>")
        if widget := self.root.focus_lastfor():
            widget.focus_force()

    def hide_wire(self) -> None:
        if self.view:
            self.view.destroy()
        self.root.minsize(*self.smallest)
        if self.window:
            self.window.destroy()
        elif self.root.winfo_width() <= self._widened[1]:
            resize_on_screen(self.root, self._widened[0], self.root.winfo_height())
        self.view = self.window = None
