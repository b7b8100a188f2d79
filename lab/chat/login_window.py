"""The report's "Enter Username" window (Figure 3.2), and the start of the client's windows.

Connecting waits, so it happens in a thread of its own (``lab.chat.queue_reader``). Tab goes from box to box,
Return connects: key and button end in one virtual event, ``<<Connect>>``.
"""

import queue
import sys
import tkinter as tk
from collections.abc import Callable
from tkinter import filedialog, messagebox, ttk
from typing import Any

from lab.chat.chat_window import ChatWindow, key_log_warning
from lab.chat.client import ChatClient
from lab.chat.login import ChatError, Login
from lab.chat.queue_reader import QueueReader, connect_in_thread
from lab.chat.tls import TlsError, client_context
from lab.chat.widgets import BAD, HALF_PAD, PAD, bind_action
from lab.chat.wire_log import WireLog

WIRE_NAMES = {"report": "as in the report", "json": "framed"}
LABELS = "69p"  # width of the column of labels
CAPTION = (
    "The report: a student's chat program of 2023, whose protocol this kit reproduces. "
    "Framed: the same chat with one message a line, so that TCP cannot run two together."
)


class LoginWindow(QueueReader, ttk.Frame):
    """Figure 3.2: name, host and port, Connect. Calls ``on_connected(client)`` once a connection is there."""

    def __init__(
        self,
        root: tk.Tk,
        on_connected: Callable[[ChatClient], object],
        name: str = "",
        host: str = "localhost",
        port: int = 9898,
        tls: bool = False,
        ca_file: str | None = None,
        wire: str = "report",
        password: str = "",
        tls_version: str | None = None,
        key_log: str | None = None,
        pad_to: int = 0,
    ):
        super().__init__(root, padding="12p")
        self.root, self.on_connected = root, on_connected
        self.tls_version, self.key_log, self.pad_to = tls_version, key_log, pad_to
        root.title("Enter Username")
        root.protocol("WM_DELETE_WINDOW", root.destroy)
        self.name = tk.StringVar(root, value=name)
        self.host = tk.StringVar(root, value=host)
        self.port = tk.StringVar(root, value=str(port))
        self.wire = tk.StringVar(root, value=wire)
        self.password = tk.StringVar(root, value=password)
        self.tls = tk.BooleanVar(root, value=tls)
        self.ca_file = tk.StringVar(root, value=ca_file or "")
        self.status = tk.StringVar(root)
        self._results: queue.SimpleQueue[ChatClient | ChatError] = queue.SimpleQueue()

        self._build()
        self._show_what_applies()
        if wire != "report" or password or ca_file:
            self.toggle_more()  # nothing that was chosen is hidden
        bind_action(self, "<<Connect>>", self.connect)
        bind_action(root, "<Return>", lambda: self.event_generate("<<Connect>>"))
        self.pack(fill="both", expand=True)
        self.name_box.focus_set()

    def _build(self) -> None:
        self.columnconfigure(0, minsize=self.winfo_pixels(LABELS))
        self.columnconfigure(1, weight=1)
        self.name_box = self._row(self, 0, "Username", self.name)
        self.host_box = self._row(self, 1, "Host", self.host)
        self.port_box = self._row(self, 2, "Port", self.port)
        self.tls_button = ttk.Checkbutton(self, text="Encrypt with TLS", variable=self.tls)
        self.tls_button.configure(command=self._tls_chosen)
        self.tls_button.grid(row=3, column=1, sticky="w", pady=HALF_PAD)
        self.more_button = ttk.Button(self, text="More", command=self.toggle_more)
        self.more_button.grid(row=3, column=2, sticky="e", padx=(PAD, 0))
        self.more = ttk.Frame(self)  # in row 4, when it is asked for
        self._build_more()
        self.connect_button = ttk.Button(self, text="Connect", default="active")
        self.connect_button.configure(command=lambda: self.event_generate("<<Connect>>"))
        self.connect_button.grid(row=5, column=0, columnspan=3, sticky="ew", pady=(PAD, 0))
        status_label = ttk.Label(self, textvariable=self.status)
        status_label.grid(row=6, column=0, columnspan=3, sticky="w", pady=(PAD, 0))
        if self.key_log:
            warning = ttk.Label(self, text=key_log_warning(self.key_log), foreground=BAD)
            warning.grid(row=7, column=0, columnspan=3, sticky="w")

    def _build_more(self) -> None:
        self.more.columnconfigure(0, minsize=self.winfo_pixels(LABELS))
        self.more.columnconfigure(1, weight=1)
        wire_label = ttk.Label(self.more, text="Wire format")
        wire_label.grid(row=0, column=0, sticky="w", padx=(0, PAD), pady=HALF_PAD)
        choices = ttk.Frame(self.more)
        choices.grid(row=0, column=1, columnspan=2, sticky="w")
        for value, label in WIRE_NAMES.items():
            button = ttk.Radiobutton(choices, text=label, value=value, variable=self.wire)
            button.configure(command=self._show_what_applies)
            button.pack(side="left", padx=(0, PAD))
        caption = ttk.Label(self.more, text=CAPTION, wraplength=self.winfo_pixels("300p"))
        caption.grid(row=1, column=0, columnspan=3, sticky="w", pady=(0, PAD))
        self.password_box = self._row(self.more, 2, "Password", self.password, show="*")
        self.ca_box = self._row(self.more, 3, "CA file", self.ca_file)
        self.ca_box.configure(width=20)
        self.ca_box.grid(columnspan=1)
        self.browse_button = ttk.Button(self.more, text="Browse...", command=self._browse)
        self.browse_button.grid(row=3, column=2, padx=(PAD, 0))

    @staticmethod
    def _row(parent: tk.Misc, row: int, label: str, variable: tk.StringVar, **options: Any) -> ttk.Entry:
        ttk.Label(parent, text=label).grid(row=row, column=0, sticky="w", padx=(0, PAD), pady=HALF_PAD)
        box = ttk.Entry(parent, textvariable=variable, width=36, **options)
        box.grid(row=row, column=1, columnspan=2, sticky="ew", pady=HALF_PAD)
        return box

    def toggle_more(self) -> None:
        """Show what a first connection does not need, or hide it."""
        if self.more.winfo_manager():
            self.more.grid_remove()
        else:
            self.more.grid(row=4, column=0, columnspan=3, sticky="ew")
        self.more_button.configure(text="Less" if self.more.winfo_manager() else "More")

    def _tls_chosen(self) -> None:
        self._show_what_applies()
        if self.tls.get() and not self.more.winfo_manager():
            self.toggle_more()  # the server's certificate is checked, mostly against a CA file

    def _show_what_applies(self) -> None:
        for widget in (self.ca_box, self.browse_button):
            widget.state(["!disabled" if self.tls.get() else "disabled"])
        self.password_box.state(["!disabled" if self.wire.get() == "json" else "disabled"])

    def _browse(self) -> None:
        if chosen := filedialog.askopenfilename(parent=self, title="Certificate of the authority to trust"):
            self.ca_file.set(chosen)

    def _login(self) -> Login:
        """Return what is in the boxes. Raises ValueError or TlsError with a text for people."""
        try:
            port = int(self.port.get())
        except ValueError:
            raise ValueError(f"The port must be a number, not {self.port.get()!r}.") from None
        tls = None
        if self.tls.get():
            tls = client_context(self.ca_file.get() or None, self.tls_version, self.key_log)
        name, host, wire = self.name.get(), self.host.get().strip(), self.wire.get()
        password, pad_to = (self.password.get() or None, self.pad_to) if wire == "json" else (None, 0)
        return Login(name, host, port, tls, wire, password, pad_to, tap=WireLog(self.tls.get()))

    def connect(self) -> None:
        """Connect in a thread of its own; the result comes back through a queue."""
        if self.connect_button.instate(["disabled"]):
            return  # already at it
        try:
            login = self._login()
        except (ValueError, TlsError) as error:
            return self._complain(str(error))
        warning = f"Careful: {login.warning}."
        if login.warning and not messagebox.askokcancel("Not encrypted", warning, parent=self):
            return
        self.connect_button.state(["disabled"])
        self.status.set(f"Connecting to {login.host} port {login.port} ...")
        connect_in_thread(ChatClient(login), self._results)
        if self._after_id is None:
            self._watch(self._results)

    def _take(self, result: ChatClient | ChatError) -> None:
        self.connect_button.state(["!disabled"])
        self.status.set("")
        if isinstance(result, ChatError):
            return self._complain(str(result))
        self.destroy()
        self.on_connected(result)

    def _complain(self, text: str) -> None:
        messagebox.showerror("Not connected", text, parent=self)


def start(
    root: tk.Tk, on_connected: Callable[[ChatClient], object] | None = None, **options: Any
) -> LoginWindow:
    """Show the login window, and after it the chat, in ``root``; ``options`` fill in the login's boxes."""
    if root.tk.call("tk", "windowingsystem") == "x11":
        # X11's own default looks like 1990; macOS and Windows have their own.
        style = ttk.Style(root)
        style.theme_use("clam")
        style.configure(".", arrowsize=root.winfo_pixels("10p"))
        for button in ("TCheckbutton", "TRadiobutton"):
            margin = f"1 1 {root.winfo_pixels('4p')} 1"
            style.configure(button, indicatorsize=root.winfo_pixels("8p"), indicatormargin=margin)
        style.map("TEntry", fieldbackground=[("disabled", style.lookup("TFrame", "background"))])
    return LoginWindow(root, on_connected or (lambda client: ChatWindow(root, client)), **options)


def use_native_dpi() -> None:
    """On Windows, ask for the screen's own pixels: otherwise it scales the window up, which blurs it."""
    if sys.platform == "win32":
        import ctypes

        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):
            pass  # before Windows 8.1


def run(**options: Any) -> int:
    """Show the login window, then the chat; returns the exit code when the last window is closed."""
    use_native_dpi()
    try:
        root = tk.Tk()
    except tk.TclError as error:
        print(f"client: no window can be opened ({error}): use --terminal instead", file=sys.stderr)
        return 2
    start(root, **options)
    root.mainloop()
    return 0
