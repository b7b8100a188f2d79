"""The report's "Enter Username" window (Figure 3.2), which the chat's window follows.

Keys: Tab goes from box to box, Return connects.
"""

import contextlib
import queue
import signal
import sys
import tkinter as tk
from dataclasses import replace
from tkinter import filedialog, messagebox, ttk

from lab.chat.chat_window import KEY_LOG_WARNING, ChatWindow
from lab.chat.client import ChatClient
from lab.chat.login import ChatError, Login
from lab.chat.options import LoginOptions
from lab.chat.tls import TlsError
from lab.chat.widgets import BAD, PAD, TextBox, Window, bind_action, enable, put, show
from lab.chat.wire_log import WireLog

WIRE_NAMES = {"report": "as in the report", "json": "framed"}
LABELS = "69p"  # width of the column of labels
MORE_ROWS = range(4, 8)  # of the form
CAPTION = (
    "The report: a student's chat program of 2023, whose protocol this kit reproduces. "
    "Framed: the same chat with one message a line, so that TCP cannot run two together."
)


class LoginWindow(Window):
    """Figure 3.2: name, host and port, Connect. ``options`` is what its boxes hold at first."""

    chat_window: ChatWindow | None = None  # once the connection is there

    def __init__(self, root: tk.Tk, options: LoginOptions):
        use_modern_theme(root)
        super().__init__(root, padding="12p")
        self.options = options
        self.inbox = queue.SimpleQueue()
        self.wire = tk.StringVar(root, value=options.wire)
        self.tls = tk.BooleanVar(root, value=options.tls)
        root.title("Enter Username")
        root.protocol("WM_DELETE_WINDOW", root.destroy)
        bind_action(root, "<Return>", self.connect)
        self.columnconfigure(0, minsize=self.winfo_pixels(LABELS))
        self.columnconfigure(1, weight=1)
        self._build()
        self._more = [widget for row in MORE_ROWS for widget in self.grid_slaves(row)]
        self._show_what_applies()
        self.show_more(bool(options.wire != "report" or options.password or options.ca_file))
        self.name.focus_set()
        self.read_inbox()

    def _build(self) -> None:
        self.name = self._box(0, "Username", self.options.name)
        self.host = self._box(1, "Host", self.options.host)
        self.port = self._box(2, "Port", str(self.options.port))
        self.tls_button = ttk.Checkbutton(self, text="Encrypt with TLS", variable=self.tls)
        put(self.tls_button, row=3, column=1).configure(command=self._choose_tls)
        self.more_button = put(ttk.Button(self), row=3, column=2)
        self._build_wires()
        self.password = self._box(6, "Password", self.options.password, show="*")
        self.ca_file = self._box(7, "CA file", self.options.ca_file or "", width=20)
        self.ca_file.grid(columnspan=1)
        self.browse_button = put(ttk.Button(self, text="Browse...", command=self._browse), row=7, column=2)
        connect_button = ttk.Button(self, text="Connect", default="active", command=self.connect)
        self.connect_button = put(connect_button, row=8, columnspan=3)
        self.status = put(ttk.Label(self), row=9, columnspan=3)
        if self.options.key_log:
            warning = ttk.Label(self, text=KEY_LOG_WARNING.format(self.options.key_log), foreground=BAD)
            put(warning, row=10, columnspan=3)

    def _build_wires(self) -> None:
        put(ttk.Label(self, text="Wire format"), row=4)
        choices = put(ttk.Frame(self), row=4, column=1, columnspan=2)
        for wire, text in WIRE_NAMES.items():
            choice = ttk.Radiobutton(choices, text=text, value=wire, variable=self.wire)
            choice.configure(command=self._show_what_applies)
            choice.pack(side="left", padx=(0, PAD))
        put(ttk.Label(self, text=CAPTION, wraplength=self.winfo_pixels("300p")), row=5, columnspan=3)

    def _box(self, row: int, label: str, text: str, width: int = 36, show: str = "") -> TextBox:
        """Add a row: a label, and a box with a text."""
        put(ttk.Label(self, text=label), row)
        box = put(TextBox(self, width=width, show=show), row, column=1, columnspan=2)
        box.set(text)
        return box

    def show_more(self, shown: bool) -> None:
        """Show or hide what a first connection does not need."""
        for widget in self._more:
            show(widget, shown)
        self.more_button["text"] = "Less" if shown else "More"
        self.more_button["command"] = lambda: self.show_more(not shown)

    def _choose_tls(self) -> None:
        self._show_what_applies()
        if self.tls.get():
            self.show_more(True)  # the server's certificate is checked, mostly against a CA file

    def _show_what_applies(self) -> None:
        enable(self.password, self.wire.get() == "json")
        enable(self.ca_file, self.tls.get())
        enable(self.browse_button, self.tls.get())

    def _browse(self) -> None:
        if chosen := filedialog.askopenfilename(parent=self, title="Certificate of the authority to trust"):
            self.ca_file.set(chosen)

    def _login(self) -> Login:
        """Return what is in the boxes. Raises ValueError or TlsError with a text for people."""
        try:
            port = int(self.port.get())
        except ValueError:
            raise ValueError(f"The port must be a number, not {self.port.get()!r}.") from None
        typed = replace(
            self.options,
            name=self.name.get(),
            host=self.host.get().strip(),
            port=port,
            wire=self.wire.get(),
            password=self.password.get(),
            tls=self.tls.get(),
            ca_file=self.ca_file.get(),
        )
        return typed.login(tap=WireLog(typed.tls))

    def connect(self) -> None:
        """Connect, unless that is being done already."""
        if self.connect_button.instate(["disabled"]):
            return
        try:
            login = self._login()
        except (ValueError, TlsError) as error:
            return self._complain(str(error))
        warning = f"Careful: {login.warning}."
        if login.warning and not messagebox.askokcancel("Not encrypted", warning, parent=self):
            return
        enable(self.connect_button, False)
        self.status["text"] = f"Connecting to {login.host} port {login.port} ..."
        self.connect_in_thread(login)

    def take(self, result: ChatClient | ChatError) -> None:
        enable(self.connect_button)
        self.status["text"] = ""
        if isinstance(result, ChatError):
            return self._complain(str(result))
        self.destroy()
        self.chat_window = ChatWindow(self.root, result)

    def _complain(self, text: str) -> None:
        messagebox.showerror("Not connected", text, parent=self)


def use_modern_theme(root: tk.Tk) -> None:
    """Replace X11's default, which looks like 1990; macOS and Windows have their own."""
    if root.tk.call("tk", "windowingsystem") != "x11":
        return
    style = ttk.Style(root)
    style.theme_use("clam")
    style.configure(".", arrowsize=root.winfo_pixels("10p"))
    for button in ("TCheckbutton", "TRadiobutton"):
        margin = f"1 1 {root.winfo_pixels('4p')} 1"
        style.configure(button, indicatorsize=root.winfo_pixels("8p"), indicatormargin=margin)
    style.map("TEntry", fieldbackground=[("disabled", style.lookup("TFrame", "background"))])


def use_native_dpi() -> None:
    """On Windows, ask for the screen's own pixels: otherwise it scales the window up, which blurs it."""
    if sys.platform == "win32":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # before Windows 8.1
            ctypes.windll.shcore.SetProcessDpiAwareness(1)


def run(options: LoginOptions) -> int:
    """Show the login window, then the chat; returns the exit code when the last window is closed."""
    use_native_dpi()
    try:
        root = tk.Tk()
    except tk.TclError as error:
        print(f"lab client: no window can be opened ({error}): use --terminal instead", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, also where Tk waits at a dialog
    LoginWindow(root, options)
    root.mainloop()
    return 0
