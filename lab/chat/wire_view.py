"""The wire view: every byte of the chat as the network has it, beside the chat itself.

Plaintext stands on a red ground with its text to be read; a TLS record on a green one, with a lock in words before
it, since colour alone tells some people nothing. What is shown comes from ``lab.chat.wire_log``.
"""

import tkinter as tk
from tkinter import ttk

from lab.chat.wire_log import WireLog

TAGS = {
    "plain-title": {"background": "#f6d5d5", "foreground": "#7a0000"},
    "plain": {"background": "#fdf1f1", "foreground": "#3d0000"},
    "tls-title": {"background": "#cfe8d3", "foreground": "#00441b"},
    "tls": {"background": "#f0f8f1", "foreground": "#3b5a44"},
}
MAX_SHOWN_LINES = 4_000


class WireView(ttk.Frame):
    """A frame with a heading and the dump; ``refresh`` adds what is new and keeps the end in sight."""

    def __init__(self, parent, log: WireLog):
        super().__init__(parent)
        self.log = log
        self.shown = 0  # pieces, of all that there were
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        what = "encrypted: an eavesdropper sees these records" if log.tls else "an eavesdropper reads all of this"
        ttk.Label(self, text=f"On the Wire ({what})").grid(row=0, column=0, columnspan=2, sticky="w")
        self.box = tk.Text(self, width=72, height=16, wrap="none", state="disabled", font="TkFixedFont", takefocus=1)
        for tag, look in TAGS.items():
            self.box.tag_configure(tag, **look)
        self.box.grid(row=1, column=0, sticky="nsew")
        scrollbar = ttk.Scrollbar(self, command=self.box.yview)
        scrollbar.grid(row=1, column=1, sticky="ns")
        self.box.configure(yscrollcommand=scrollbar.set)
        self._at_end = True
        self.box.bind("<Configure>", lambda _: self._keep_end_in_sight())

    def refresh(self) -> None:
        new, self.shown = self.log.since(self.shown)
        if not new:
            return
        # Before it is on the screen it has no size, and no end to be at.
        self._at_end = self.box.yview()[1] == 1.0 or not self.box.winfo_viewable()
        self.box.configure(state="normal")
        for piece in new:
            tag = "tls" if piece.encrypted else "plain"
            mark = "[locked] " if piece.encrypted else "[open]   "
            self.box.insert("end", f"{mark}{piece.title}\n", f"{tag}-title")
            self.box.insert("end", "".join(f"{line}\n" for line in piece.dump()), tag)
        excess = int(self.box.index("end").split(".")[0]) - MAX_SHOWN_LINES
        if excess > 0:
            self.box.delete("1.0", f"{excess}.0")
        self.box.configure(state="disabled")
        self._keep_end_in_sight()

    def _keep_end_in_sight(self) -> None:
        if self._at_end:  # a reader who has scrolled back stays there
            self.box.see("end")
