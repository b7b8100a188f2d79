"""The wire view: every byte of the chat as the network has it, beside the chat or in a window of its own.

Plaintext stands on a red ground, a TLS record on a green one. Each title also says it in words, since not
everybody sees the colours. What is shown comes from ``lab.chat.wire_log``.
"""

import tkinter as tk
from tkinter import ttk

from lab.chat.widgets import PAD, ReadOnlyText, grid_with_scrollbar
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
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self.heading = ttk.Label(self)
        self.heading.grid(row=0, column=0, columnspan=2, sticky="w")
        # As wide as a line of the dump, which is never wrapped.
        self.box = ReadOnlyText(self, TAGS, width=72, wrap="none", font="TkFixedFont", takefocus=1)
        grid_with_scrollbar(self.box, row=1, column=0, sticky="nsew")
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
        self.heading.configure(text=f"On the Wire ({seen})")
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


class WirePanes(tk.PanedWindow):
    """The chat, and on request the wire: beside it, or in its own window on a screen too narrow for both."""

    def __init__(self, parent: tk.Misc):
        super().__init__(
            parent, borderwidth=0, sashwidth=PAD, background=ttk.Style().lookup("TFrame", "background")
        )
        self.root = parent.winfo_toplevel()
        self.view: WireView | None = None
        self.window: tk.Toplevel | None = None  # around the view, where it has one
        # The width of the chat's window before the wire was shown, and with it.
        self._widened: tuple[int, int] | None = None
        self.smallest = tuple(self.winfo_pixels(points) for points in SMALLEST_CHAT)
        self.chat = ttk.Frame(self)

    def show_chat(self) -> None:
        """Show the chat, once it is built: a pane asks for the size that it has when it is added."""
        self.update_idletasks()
        self.add(self.chat, minsize=self.smallest[0] - 2 * self.winfo_pixels(PAD), stretch="always")
        self.root.minsize(*self.smallest)
        self.update_idletasks()
        self._keep_on_screen(self.root.winfo_reqwidth(), self.root.winfo_reqheight())

    def show_wire(self, log: WireLog) -> None:
        self.view = WireView(self, log)
        self.update_idletasks()  # so that the view knows its size
        more = self.view.winfo_reqwidth() + self.winfo_pixels(PAD)
        room = self.winfo_screenwidth() - 2 * self._position()[2]
        if self.smallest[0] + more <= room:
            self._show_beside(self.view, more, room)
        else:
            self.view.destroy()
            self._show_in_a_window(log)

    def _show_beside(self, view: WireView, more: int, room: int) -> None:
        """Make the chat's window wider by ``more`` pixels, as far as the ``room`` on the screen allows."""
        root, before, height = self.root, self.root.winfo_width(), self.root.winfo_height()
        after = max(before, min(before + more, room))
        if after > before:
            root.geometry(f"{after}x{height}")
            self._keep_on_screen(after, height)
            self.root.update_idletasks()
            self._widened = before, after
        root.minsize(self.smallest[0] + more, self.smallest[1])
        self.add(view, minsize=view.winfo_reqwidth(), stretch="never")

    def _position(self) -> tuple[int, int, int, int]:
        """Return where the window is with its frame, and how wide that is at the side and at the top."""
        left, upper = map(int, self.root.geometry().split("+")[1:])  # 560x380+20+-5
        return left, upper, self.root.winfo_rootx() - left, self.root.winfo_rooty() - upper

    def _keep_on_screen(self, width: int, height: int) -> None:
        """Move the window so that all of it is seen with this size."""
        left, upper, side, top = self._position()
        x = max(0, min(left, self.winfo_screenwidth() - width - 2 * side))
        y = max(0, min(upper, self.winfo_screenheight() - height - 2 * top))  # the frame below is not as high
        if (x, y) != (left, upper):
            self.root.geometry(f"+{x}+{y}")

    def _show_in_a_window(self, log: WireLog) -> None:
        self.window = tk.Toplevel(self)
        self.window.title("On the Wire")
        self.window.protocol("WM_DELETE_WINDOW", lambda: self.master.event_generate("<<Wire>>"))
        self.window.bind("<F2>", lambda _: self.master.event_generate("<<Wire>>"))
        self.window.bind("<FocusIn>", self._give_the_keyboard_back)
        ground = ttk.Frame(self.window, padding=PAD)
        ground.pack(fill="both", expand=True)
        self.view = WireView(ground, log)
        self.view.pack(fill="both", expand=True)

    def _give_the_keyboard_back(self, _: object) -> None:
        """Return the keyboard that a new window takes: its user wants to go on typing in the chat."""
        if self.window:
            self.window.unbind("<FocusIn>")
        if widget := self.root.focus_lastfor():
            widget.focus_force()

    def hide_wire(self) -> None:
        for widget in (self.window, self.view):
            if widget:
                widget.destroy()
        self.view = self.window = None
        self.root.minsize(*self.smallest)
        width = self.root.winfo_width()  # less than it was made, where the window manager is not there yet
        if self._widened and width <= self._widened[1]:
            self.root.geometry(f"{min(self._widened[0], width)}x{self.root.winfo_height()}")
            self.root.update_idletasks()  # sent now: a late answer to an earlier request would replace this one
        self._widened = None
