"""The report's two windows: "Enter Username" and "Chatting Program".

Theory of operation. Widgets may only be touched by the thread that runs ``mainloop``, and that thread must never
wait, or the window freezes. So whatever waits happens in other threads: connecting in a thread of its own, receiving
in the client's. Both put what they have on a queue, and each window drains a bounded batch of it with ``after()``,
whose id it keeps so that ``destroy()`` can cancel it. Keys and buttons end in one virtual event each
(``<<Connect>>``, ``<<Send>>``, ``<<Disconnect>>``, ``<<Reconnect>>``, ``<<Wire>>``). What is shown is decided in
``lab.chat.log``, without any widget.

Keys: Tab goes from box to box, Return connects or sends, Up and Down bring back what was sent, F2 opens the wire
pane, F5 reconnects; in the user list, Return writes to the selected one.
"""

import queue
import sys
import threading
import tkinter as tk
from tkinter import filedialog, font, messagebox, ttk

from lab.chat import commands
from lab.chat.client import ChatClient, ChatError
from lab.chat.connection import ConnectionLost
from lab.chat.log import ChatLog, Line
from lab.chat.tls import TlsError, client_context
from lab.chat.wire_log import WireLog
from lab.chat.wire_pane import WirePane

POLL_MS = 40  # how often a queue is looked at: 25 times a second seems immediate
BATCH = 200  # events taken at one look, so that a flood cannot freeze the window
PAD = 8
GOOD, BAD = "#00600f", "#b00000"
INDENT = 64  # of one's own lines, in pixels

# Told apart by place, type and wording as well as by colour, since not everybody sees that.
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


class QueueReader:
    """Mix-in for a widget that is fed by other threads: ``_take`` runs in the window's own thread, until destroyed."""

    _after_id: str | None = None

    def _watch(self, source: queue.SimpleQueue) -> None:
        for _ in range(BATCH):
            try:
                item = source.get_nowait()
            except queue.Empty:
                break
            self._take(item)
            if not self.winfo_exists():
                return
        self._looked()
        self._after_id = self.after(POLL_MS, self._watch, source)

    def _looked(self) -> None:
        """Called after each look at the queue."""

    def _stop_watching(self) -> None:
        if self._after_id is not None:
            self.after_cancel(self._after_id)
            self._after_id = None

    def destroy(self) -> None:
        self._stop_watching()
        super().destroy()


class LoginWindow(QueueReader, ttk.Frame):
    """Figure 3.2: name, host and port, Connect. Calls ``on_connected(client)`` once a connection is there."""

    def __init__(
        self,
        root: tk.Tk,
        on_connected,
        name: str = "",
        host: str = "localhost",
        port: int = 9898,
        tls: bool = False,
        ca_file: str | None = None,
        speaks: str = "report",
        password: str = "",
        tls_version: str | None = None,
        key_log: str | None = None,
        pad_to: int = 0,
    ):
        super().__init__(root, padding=2 * PAD)
        self.root, self.on_connected = root, on_connected
        self.tls_version, self.key_log, self.pad_to = tls_version, key_log, pad_to
        root.title("Enter Username")
        root.protocol("WM_DELETE_WINDOW", root.destroy)
        self.name = tk.StringVar(root, value=name)
        self.host = tk.StringVar(root, value=host)
        self.port = tk.StringVar(root, value=str(port))
        self.speaks = tk.StringVar(root, value=speaks)
        self.password = tk.StringVar(root, value=password)
        self.tls = tk.BooleanVar(root, value=tls)
        self.ca_file = tk.StringVar(root, value=ca_file or "")
        self.status = tk.StringVar(root)
        self._results: queue.SimpleQueue = queue.SimpleQueue()

        self.columnconfigure(1, weight=1)
        self.name_box = self._row(0, "Username", self.name)
        self.host_box = self._row(1, "Host", self.host)
        self.port_box = self._row(2, "Port", self.port)
        ttk.Label(self, text="Wire").grid(row=3, column=0, sticky="w", padx=(0, PAD), pady=PAD // 2)
        choices = ttk.Frame(self)
        choices.grid(row=3, column=1, columnspan=2, sticky="w")
        for value, label in (("report", "the report's"), ("lines", "lines")):
            ttk.Radiobutton(
                choices, text=label, value=value, variable=self.speaks, command=self._show_what_applies
            ).pack(side="left", padx=(0, PAD))
        self.password_box = self._row(4, "Password", self.password, show="*")
        ttk.Checkbutton(self, text="Encrypt with TLS", variable=self.tls, command=self._show_what_applies).grid(
            row=5, column=1, sticky="w", pady=(PAD // 2, 0)
        )
        ttk.Label(self, text="CA file").grid(row=6, column=0, sticky="w", padx=(0, PAD), pady=PAD // 2)
        self.ca_box = ttk.Entry(self, textvariable=self.ca_file, width=28)
        self.ca_box.grid(row=6, column=1, sticky="ew", pady=PAD // 2)
        self.browse_button = ttk.Button(self, text="Browse...", command=self._browse)
        self.browse_button.grid(row=6, column=2, padx=(PAD, 0))
        self.connect_button = ttk.Button(
            self, text="Connect", default="active", command=lambda: self.event_generate("<<Connect>>")
        )
        self.connect_button.grid(row=7, column=0, columnspan=3, sticky="ew", pady=(PAD, 0))
        ttk.Label(self, textvariable=self.status).grid(row=8, column=0, columnspan=3, sticky="w", pady=(PAD, 0))
        if key_log:
            ttk.Label(self, text=key_log_warning(key_log), foreground=BAD).grid(
                row=9, column=0, columnspan=3, sticky="w"
            )

        self._show_what_applies()
        self.bind("<<Connect>>", lambda _: self.connect())
        root.bind("<Return>", lambda _: self.event_generate("<<Connect>>"))
        self.pack(fill="both", expand=True)
        self.name_box.focus_set()

    def _row(self, row: int, label: str, variable: tk.StringVar, **options) -> ttk.Entry:
        ttk.Label(self, text=label).grid(row=row, column=0, sticky="w", padx=(0, PAD), pady=PAD // 2)
        box = ttk.Entry(self, textvariable=variable, width=36, **options)
        box.grid(row=row, column=1, columnspan=2, sticky="ew", pady=PAD // 2)
        return box

    def _show_what_applies(self) -> None:
        for widget in (self.ca_box, self.browse_button):
            widget.state(["!disabled" if self.tls.get() else "disabled"])
        self.password_box.state(["!disabled" if self.speaks.get() == "lines" else "disabled"])

    def _browse(self) -> None:
        if chosen := filedialog.askopenfilename(parent=self, title="Certificate of the authority to trust"):
            self.ca_file.set(chosen)

    def connect(self) -> None:
        """Connect in a thread of its own; the result comes back through a queue."""
        if self.connect_button.instate(["disabled"]):
            return  # already at it
        try:
            port = int(self.port.get())
        except ValueError:
            return self._complain(f"The port must be a number, and {self.port.get()!r} is none.")
        encrypted, speaks_lines = self.tls.get(), self.speaks.get() == "lines"
        try:
            tls = client_context(self.ca_file.get() or None, self.tls_version, self.key_log) if encrypted else None
        except TlsError as error:
            return self._complain(str(error))
        client = ChatClient(
            self.name.get(),
            self.host.get().strip(),
            port,
            tls,
            speaks=self.speaks.get(),
            password=(self.password.get() or None) if speaks_lines else None,
            pad_to=self.pad_to if speaks_lines else 0,
            tap=WireLog(encrypted),
        )
        if client.warning and not messagebox.askokcancel("Not encrypted", f"Careful: {client.warning}.", parent=self):
            return
        self.connect_button.state(["disabled"])
        self.status.set(f"Connecting to {client.host} port {port} ...")
        connect_elsewhere(client, self._results)
        if self._after_id is None:
            self._watch(self._results)

    def _take(self, result) -> None:
        self.connect_button.state(["!disabled"])
        self.status.set("")
        if isinstance(result, ChatError):
            return self._complain(str(result))
        self.destroy()
        self.on_connected(result)

    def _complain(self, text: str) -> None:
        messagebox.showerror("Not connected", text, parent=self)


def connect_elsewhere(client: ChatClient, results: queue.SimpleQueue) -> None:
    """Connect in a thread of its own, which puts the client, or the ChatError, on ``results``."""

    def connect():
        try:
            results.put(client.connect())
        except ChatError as error:
            results.put(error)

    threading.Thread(target=connect, daemon=True).start()


def key_log_warning(key_log: str) -> str:
    return f"KEY LOG ON: whoever has {key_log} can read this session"


class ChatWindow(QueueReader, ttk.Frame):
    """Figures 3.1 and 4.1 to 4.3: heading, chat box, users, message box, Send, Disconnect; and what came after."""

    def __init__(self, root: tk.Tk, client: ChatClient):
        super().__init__(root, padding=PAD)
        self.root, self.client = root, client
        self.log = ChatLog(client.name)
        self.message = tk.StringVar(root)
        self.trouble = tk.StringVar(root)
        self.wire_pane: WirePane | None = None
        self._sent: list[str] = []  # for the arrow keys
        self._recalled = 0
        self._reconnecting: queue.SimpleQueue | None = None
        root.minsize(560, 380)
        root.protocol("WM_DELETE_WINDOW", lambda: self.event_generate("<<Disconnect>>"))

        self.columnconfigure(0, weight=3)
        self.rowconfigure(2, weight=1)
        self._build_heading()
        self._build_boxes()
        self._build_entry()

        for name, action in (
            ("<<Send>>", self.send),
            ("<<Disconnect>>", self.disconnect),
            ("<<Reconnect>>", self.reconnect),
            ("<<Wire>>", self.toggle_wire),
        ):
            self.bind(name, lambda _, action=action: action())
        for key, name in (("<Return>", "<<Send>>"), ("<F2>", "<<Wire>>"), ("<F5>", "<<Reconnect>>")):
            root.bind(key, lambda _, name=name: self.event_generate(name))
        root.bind("<FocusIn>", lambda _: self._look(True))
        root.bind("<FocusOut>", lambda _: self._look(root.focus_displayof() is not None))
        self.pack(fill="both", expand=True)
        self.message_box.focus_set()
        self.attach(client)

    # --- building -----------------------------------------------------------------------------------------------------

    def _build_heading(self) -> None:
        heading = ttk.Frame(self)
        heading.grid(row=0, column=0, columnspan=4, sticky="ew")
        self.wire_button = ttk.Button(
            heading, text="Show the wire (F2)", command=lambda: self.event_generate("<<Wire>>")
        )
        self.wire_button.pack(side="right")
        self.lock_label = ttk.Label(heading)
        self.lock_label.pack(side="right", padx=PAD)
        self.who_label = ttk.Label(heading, font="TkHeadingFont")
        self.who_label.pack(side="left", fill="x", expand=True)  # last: in a narrow window it takes a second line
        self.who_label.bind("<Configure>", lambda event: self.who_label.configure(wraplength=event.width))

    def _build_boxes(self) -> None:
        ttk.Label(self, text="Chat Box").grid(row=1, column=0, sticky="w", pady=(PAD, 0))
        self.chat_box = tk.Text(self, width=60, height=16, wrap="word", state="disabled", font="TkTextFont", spacing3=2)
        bold, italic = (font.nametofont("TkTextFont").copy() for _ in range(2))
        bold.configure(weight="bold")
        italic.configure(slant="italic")
        self._fonts = (bold, italic)  # tkinter forgets fonts that nobody holds
        for tag, look in TAGS.items():
            self.chat_box.tag_configure(tag, **look)
        self.chat_box.tag_configure("own", font=bold)
        self.chat_box.tag_configure("trouble", font=bold)
        self.chat_box.tag_configure("private", font=italic)
        self.chat_box.tag_raise("sel")
        self.chat_box.grid(row=2, column=0, sticky="nsew")
        scrollbar = ttk.Scrollbar(self, command=self.chat_box.yview)
        scrollbar.grid(row=2, column=1, sticky="ns")
        self.chat_box.configure(yscrollcommand=scrollbar.set)
        # A disabled box takes no focus by itself, and without it no Ctrl-C.
        self.chat_box.bind("<Button-1>", lambda _: self.chat_box.focus_set())
        self.copy_menu = tk.Menu(self, tearoff=False)
        self.copy_menu.add_command(label="Copy", command=lambda: self.chat_box.event_generate("<<Copy>>"))
        for button in ("<Button-2>", "<Button-3>"):
            self.chat_box.bind(button, lambda event: self.copy_menu.tk_popup(event.x_root, event.y_root))

        ttk.Label(self, text="Users").grid(row=1, column=2, columnspan=2, sticky="w", padx=(PAD, 0), pady=(PAD, 0))
        self.users_box = tk.Listbox(
            self, width=18, height=16, font="TkTextFont", activestyle="dotbox", exportselection=False
        )
        self.users_box.grid(row=2, column=2, sticky="ns", padx=(PAD, 0))
        users_scrollbar = ttk.Scrollbar(self, command=self.users_box.yview)
        users_scrollbar.grid(row=2, column=3, sticky="ns")
        self.users_box.configure(yscrollcommand=users_scrollbar.set)
        self.users_box.bind("<Double-Button-1>", lambda _: self.write_to_selected())
        self.users_box.bind("<Return>", lambda _: self.write_to_selected())

    def _build_entry(self) -> None:
        ttk.Label(self, text="Enter Message").grid(row=3, column=0, sticky="w", pady=(PAD, 0))
        self.trouble_label = ttk.Label(self, textvariable=self.trouble, foreground=BAD)
        self.message_box = ttk.Entry(self, textvariable=self.message)
        self.message_box.grid(row=4, column=0, columnspan=2, sticky="ew")
        self.message_box.bind("<Up>", lambda _: self.recall(-1))
        self.message_box.bind("<Down>", lambda _: self.recall(1))
        self.send_button = ttk.Button(self, text="Send", command=lambda: self.event_generate("<<Send>>"))
        self.send_button.grid(row=4, column=2, columnspan=2, sticky="ew", padx=(PAD, 0))
        self.reconnect_button = ttk.Button(
            self, text="Reconnect (F5)", command=lambda: self.event_generate("<<Reconnect>>")
        )
        self.disconnect_button = ttk.Button(
            self, text="Disconnect", command=lambda: self.event_generate("<<Disconnect>>")
        )
        self.disconnect_button.grid(row=6, column=0, columnspan=4, sticky="ew", pady=(PAD, 0))

    # --- the connection -----------------------------------------------------------------------------------------------

    def attach(self, client: ChatClient) -> None:
        """Show what this client gets from now on; what was said before stays on the screen."""
        self.client = client
        self._stop_watching()
        self.log.name, self.log.lost, self.log.users = client.name, None, ()
        self.users_box.delete(0, "end")
        self._show_state()
        self.trouble.set("")
        self.trouble_label.grid_remove()
        self.reconnect_button.grid_remove()
        self.send_button.state(["!disabled"])
        if self.wire_pane:
            self.toggle_wire()
            self.toggle_wire()
        threading.Thread(target=self._join_elsewhere, args=[client], daemon=True).start()
        self._watch(client.events)

    @staticmethod
    def _join_elsewhere(client: ChatClient) -> None:
        try:
            client.announce(wait=True)
            client.ask_users()
        except ConnectionLost:
            pass  # the receiving thread reports it

    def _show_state(self) -> None:
        host, port = self.client.connection.local
        version = self.client.connection.tls_version
        self.who_label.configure(text=f"{self.log.name}  ·  my IP {host}, port {port}")
        key_log = self.client.tls.keylog_filename if self.client.tls else None
        if key_log:
            self.lock_label.configure(text=key_log_warning(key_log), foreground=BAD)
        elif version:
            self.lock_label.configure(text=f"Encrypted: {version}", foreground=GOOD)
        else:
            self.lock_label.configure(text="Not encrypted", foreground=BAD)

    def send(self) -> None:
        text = self.message.get()
        if not text.strip() or self.log.lost is not None:
            return
        try:
            for answer in self.client.enter(text):
                self._show(self.log.note(answer))
        except ConnectionLost:
            return  # the text stays; the receiving thread reports the loss
        self._sent.append(text)
        self._recalled = len(self._sent)
        self.message.set("")

    def disconnect(self) -> None:
        """Leave the chat and close the window."""
        # leave() waits for the server's own close, so it is not done in this thread.
        threading.Thread(target=self.client.leave).start()
        self.root.destroy()

    def reconnect(self) -> None:
        """Try again with the same name and server; what was not sent stays in its box."""
        if self.log.lost is None or self._reconnecting:
            return
        self._reconnecting = queue.SimpleQueue()
        self.reconnect_button.state(["disabled"])
        self.trouble.set(f"Connecting to {self.client.host} port {self.client.port} ...")
        connect_elsewhere(self.client.again(), self._reconnecting)

    def _looked(self) -> None:
        if self.wire_pane:
            self.wire_pane.refresh()
        if self._reconnecting and not self._reconnecting.empty():
            result = self._reconnecting.get()
            self._reconnecting = None
            self.reconnect_button.state(["!disabled"])
            if isinstance(result, ChatError):
                self.trouble.set(str(result))
            else:
                # Not here: what called us is the watch over the old client's queue, which goes on after this.
                self.after_idle(self.attach, result)

    # --- showing ------------------------------------------------------------------------------------------------------

    def _take(self, event) -> None:
        before, name = self.log.users, self.log.name
        line = self.log.take(event)
        if self.log.users != before:
            self.users_box.delete(0, "end")
            self.users_box.insert("end", *self.log.users)
        if self.log.name != name:
            self._show_state()
        if line:
            self._show(line)
        if self.log.lost is not None and not self.trouble.get():
            self.send_button.state(["disabled"])
            self.trouble.set(f"Connection lost: {self.log.lost}. Nothing that you type is sent.")
            self.trouble_label.grid(row=5, column=0, columnspan=2, sticky="w", pady=(PAD // 2, 0))
            self.reconnect_button.grid(row=5, column=2, columnspan=2, sticky="ew", padx=(PAD, 0), pady=(PAD // 2, 0))
        self._show_title()

    def _show(self, line: Line) -> None:
        box = self.chat_box
        at_end = box.yview()[1] == 1.0  # who has scrolled back to read is left there
        box.configure(state="normal")
        if self.log.unread == 1 and not self.log.watched and not box.tag_ranges("unread"):
            box.insert("end", "--- not read yet ---\n", "unread")
        tags = (line.kind, "past") if line.past else (line.kind,)
        box.insert("end", f"{line.clock}  ", ("clock", *tags[:1]))
        box.insert("end", f"{line.text}\n", tags)
        box.configure(state="disabled")
        if at_end:
            box.see("end")

    def _show_title(self) -> None:
        self.root.title(f"({self.log.unread}) Chatting Program" if self.log.unread else "Chatting Program")

    def _look(self, watched: bool) -> None:
        """The window has the keyboard now, or has it no more."""
        if watched == self.log.watched:
            return
        if not watched and self.chat_box.tag_ranges("unread"):  # read by now: the mark goes when it is needed elsewhere
            self.chat_box.configure(state="normal")
            self.chat_box.delete(*self.chat_box.tag_ranges("unread")[:2])
            self.chat_box.configure(state="disabled")
        self.log.look(watched)
        self._show_title()

    def recall(self, step: int) -> str:
        """An earlier or a later one of the messages that were sent, into the box."""
        self._recalled = max(0, min(len(self._sent), self._recalled + step))
        self.message.set(self._sent[self._recalled] if self._recalled < len(self._sent) else "")
        self.message_box.icursor("end")
        return "break"

    def write_to_selected(self) -> str:
        """Begin a private message to whoever is selected in the list."""
        if chosen := self.users_box.curselection():
            self.message.set(commands.address(self.users_box.get(chosen[0])))
            self.message_box.focus_set()
            self.message_box.icursor("end")
        return "break"  # or Return would send it

    def toggle_wire(self) -> None:
        """Open the wire pane, or close it."""
        if self.wire_pane:
            self.wire_pane.destroy()
            self.wire_pane = None
            self.wire_button.configure(text="Show the wire (F2)")
        elif isinstance(self.client.tap, WireLog):
            self.wire_pane = WirePane(self, self.client.tap)
            self.wire_pane.grid(row=1, column=4, rowspan=6, sticky="nsew", padx=(PAD, 0), pady=(PAD, 0))
            self.wire_pane.refresh()
            self.wire_button.configure(text="Hide the wire (F2)")


def start(root: tk.Tk, on_connected=None, **options) -> LoginWindow:
    """Show the login window, and after it the chat, in ``root``; ``options`` fill in the login's boxes."""
    if root.tk.call("tk", "windowingsystem") == "x11":
        # X11's own default looks like 1990; macOS and Windows have their own.
        ttk.Style(root).theme_use("clam")
    return LoginWindow(root, on_connected or (lambda client: ChatWindow(root, client)), **options)


def sharpen() -> None:
    """On Windows, ask for the screen's own pixels: without it a window is blown up and blurred on a high-DPI screen."""
    if sys.platform == "win32":
        import ctypes

        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):
            pass  # before Windows 8.1


def run(**options) -> int:
    """Show the login window, then the chat; returns the exit code when the last window is closed."""
    sharpen()
    try:
        root = tk.Tk()
    except tk.TclError as error:
        print(f"client: no window can be opened ({error}): use --terminal instead", file=sys.stderr)
        return 2
    start(root, **options)
    root.mainloop()
    return 0
