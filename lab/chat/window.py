"""The report's two windows: "Enter Username" and "Chatting Program".

Theory of operation. Widgets may only be touched by the thread that runs ``mainloop``, and that thread must never wait,
or the window freezes. So whatever waits happens in other threads: connecting in a thread of its own, receiving in the
client's. Both put what they have on a queue, and each window drains a bounded batch of it with ``after()``, whose id
it keeps so that ``destroy()`` can cancel it. Keys and buttons end in one virtual event each (``<<Connect>>``,
``<<Send>>``, ``<<Disconnect>>``). What is shown is decided in ``lab.chat.log``, without any widget.
"""

import queue
import sys
import threading
import tkinter as tk
from tkinter import filedialog, messagebox, ttk

from lab.chat.client import ChatClient, ChatError
from lab.chat.connection import ConnectionLost
from lab.chat.log import ChatLog
from lab.chat.tls import TlsError, client_context

POLL_MS = 40  # how often a queue is looked at: 25 times a second seems immediate
BATCH = 200  # events taken at one look, so that a flood cannot freeze the window
PAD = 8

# Told apart by place and wording as well as by colour: see ChatWindow._show.
TAGS = {
    "own": {"foreground": "#0b3d91"},
    "other": {"foreground": "#111111"},
    "notice": {"foreground": "#555555", "justify": "center"},
    "trouble": {"foreground": "#a00000", "justify": "center"},
}


class QueueReader:
    """Mix-in for a widget that is fed by other threads: ``_drain`` runs in the window's own thread, until destroyed."""

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
        self._after_id = self.after(POLL_MS, self._watch, source)

    def destroy(self) -> None:
        if self._after_id is not None:
            self.after_cancel(self._after_id)
            self._after_id = None
        super().destroy()


class LoginWindow(QueueReader, ttk.Frame):
    """Figure 3.2: name, host and port, Connect. Calls ``on_connected(client)`` once a connection is there."""

    def __init__(
        self, root: tk.Tk, on_connected, name="", host="localhost", port=9898, tls=False, ca_file=None
    ):
        super().__init__(root, padding=2 * PAD)
        self.root, self.on_connected = root, on_connected
        root.title("Enter Username")
        root.protocol("WM_DELETE_WINDOW", root.destroy)
        self.name = tk.StringVar(value=name)
        self.host = tk.StringVar(value=host)
        self.port = tk.StringVar(value=str(port))
        self.tls = tk.BooleanVar(value=tls)
        self.ca_file = tk.StringVar(value=ca_file or "")
        self.status = tk.StringVar()
        self._results: queue.SimpleQueue = queue.SimpleQueue()

        self.columnconfigure(1, weight=1)
        self.name_box = self._row(0, "Username", self.name)
        self.host_box = self._row(1, "Host", self.host)
        self.port_box = self._row(2, "Port", self.port)
        ttk.Checkbutton(self, text="Encrypt with TLS", variable=self.tls, command=self._show_tls).grid(
            row=3, column=1, sticky="w", pady=(PAD, 0)
        )
        ttk.Label(self, text="CA file").grid(row=4, column=0, sticky="w", padx=(0, PAD), pady=PAD // 2)
        self.ca_box = ttk.Entry(self, textvariable=self.ca_file, width=28)
        self.ca_box.grid(row=4, column=1, sticky="ew", pady=PAD // 2)
        self.browse_button = ttk.Button(self, text="Browse...", command=self._browse)
        self.browse_button.grid(row=4, column=2, padx=(PAD, 0))
        self.connect_button = ttk.Button(
            self, text="Connect", default="active", command=lambda: self.event_generate("<<Connect>>")
        )
        self.connect_button.grid(row=5, column=0, columnspan=3, sticky="ew", pady=(PAD, 0))
        ttk.Label(self, textvariable=self.status).grid(
            row=6, column=0, columnspan=3, sticky="w", pady=(PAD, 0)
        )

        self._show_tls()
        self.bind("<<Connect>>", lambda _: self.connect())
        root.bind("<Return>", lambda _: self.event_generate("<<Connect>>"))
        self.pack(fill="both", expand=True)
        self.name_box.focus_set()

    def _row(self, row: int, label: str, variable: tk.StringVar) -> ttk.Entry:
        ttk.Label(self, text=label).grid(row=row, column=0, sticky="w", padx=(0, PAD), pady=PAD // 2)
        box = ttk.Entry(self, textvariable=variable, width=36)
        box.grid(row=row, column=1, columnspan=2, sticky="ew", pady=PAD // 2)
        return box

    def _show_tls(self) -> None:
        for widget in (self.ca_box, self.browse_button):
            widget.state(["!disabled" if self.tls.get() else "disabled"])

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
        try:
            tls = client_context(self.ca_file.get() or None) if self.tls.get() else None
        except TlsError as error:
            return self._complain(str(error))
        client = ChatClient(self.name.get(), self.host.get().strip(), port, tls)
        self.connect_button.state(["disabled"])
        self.status.set(f"Connecting to {client.host} port {port} ...")
        threading.Thread(target=self._connect_elsewhere, args=[client], daemon=True).start()
        if self._after_id is None:
            self._watch(self._results)

    def _connect_elsewhere(self, client: ChatClient) -> None:
        try:
            self._results.put(client.connect())
        except ChatError as error:
            self._results.put(error)

    def _take(self, result) -> None:
        self.connect_button.state(["!disabled"])
        self.status.set("")
        if isinstance(result, ChatError):
            return self._complain(str(result))
        self.destroy()
        self.on_connected(result)

    def _complain(self, text: str) -> None:
        messagebox.showerror("Not connected", text, parent=self)


class ChatWindow(QueueReader, ttk.Frame):
    """Figures 3.1 and 4.1 to 4.3: heading, chat box, users, message box, Send, Disconnect."""

    def __init__(self, root: tk.Tk, client: ChatClient):
        super().__init__(root, padding=PAD)
        self.root, self.client = root, client
        self.log = ChatLog(client.name)
        root.title("Chatting Program")
        root.minsize(460, 320)
        root.protocol("WM_DELETE_WINDOW", lambda: self.event_generate("<<Disconnect>>"))
        host, port = client.connection.local
        secured = client.connection.tls_version
        self.message = tk.StringVar()

        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        heading = ttk.Frame(self)
        heading.grid(row=0, column=0, columnspan=3, sticky="ew")
        ttk.Label(heading, text=f"{client.name}  ·  my IP {host}, port {port}", font="TkHeadingFont").pack(
            side="left"
        )
        ttk.Label(heading, text=f"Encrypted: {secured}" if secured else "Not encrypted").pack(side="right")

        ttk.Label(self, text="Chat Box").grid(row=1, column=0, sticky="w", pady=(PAD, 0))
        self.chat_box = tk.Text(
            self, width=52, height=16, wrap="word", state="disabled", font="TkTextFont", takefocus=0
        )
        for tag, look in TAGS.items():
            self.chat_box.tag_configure(tag, **look)
        self.chat_box.grid(row=2, column=0, sticky="nsew")
        scrollbar = ttk.Scrollbar(self, command=self.chat_box.yview)
        scrollbar.grid(row=2, column=1, sticky="ns")
        self.chat_box.configure(yscrollcommand=scrollbar.set)
        ttk.Label(self, text="Users").grid(row=1, column=2, sticky="w", padx=(PAD, 0), pady=(PAD, 0))
        self.users_box = tk.Text(self, width=18, height=16, state="disabled", font="TkTextFont", takefocus=0)
        self.users_box.grid(row=2, column=2, sticky="ns", padx=(PAD, 0))

        ttk.Label(self, text="Enter Message").grid(row=3, column=0, sticky="w", pady=(PAD, 0))
        self.message_box = ttk.Entry(self, textvariable=self.message)
        self.message_box.grid(row=4, column=0, columnspan=2, sticky="ew")
        self.send_button = ttk.Button(self, text="Send", command=lambda: self.event_generate("<<Send>>"))
        self.send_button.grid(row=4, column=2, sticky="ew", padx=(PAD, 0))
        self.disconnect_button = ttk.Button(
            self, text="Disconnect", command=lambda: self.event_generate("<<Disconnect>>")
        )
        self.disconnect_button.grid(row=5, column=0, columnspan=3, sticky="ew", pady=(PAD, 0))

        self.bind("<<Send>>", lambda _: self.send())
        self.bind("<<Disconnect>>", lambda _: self.disconnect())
        root.bind("<Return>", lambda _: self.event_generate("<<Send>>"))
        self.pack(fill="both", expand=True)
        self.message_box.focus_set()
        threading.Thread(target=self._join_elsewhere, daemon=True).start()
        self._watch(client.events)

    def _join_elsewhere(self) -> None:
        try:
            self.client.announce(wait=True)
            self.client.ask_users()
        except ConnectionLost:
            pass  # the receiving thread reports it

    def send(self) -> None:
        text = self.message.get()
        if not text.strip() or self.log.lost is not None:
            return
        try:
            self.client.say(text)
        except ConnectionLost:
            return  # the text stays; the receiving thread reports the loss
        self.message.set("")

    def disconnect(self) -> None:
        """Leave the chat and close the window."""
        # leave() waits for the server's own close, so it is not done in this thread.
        farewell = threading.Thread(target=self.client.leave)
        farewell.start()
        self.root.destroy()

    def _take(self, event) -> None:
        users = self.log.users
        line = self.log.take(event)
        if self.log.users != users:
            self._write(self.users_box, "\n".join(self.log.users), replace=True)
        if line:
            self._write(self.chat_box, line.text + "\n", line.kind)
        if self.log.lost is not None:
            self.send_button.state(["disabled"])
            messagebox.showerror(
                "Connection lost",
                f"{self.log.lost}. What was said stays on the screen; Disconnect closes it.",
                parent=self,
            )

    @staticmethod
    def _write(box: tk.Text, text: str, tag: str = "", replace: bool = False) -> None:
        at_end = box.yview()[1] == 1.0  # who has scrolled back to read is left there
        box.configure(state="normal")
        if replace:
            box.delete("1.0", "end")
        box.insert("end", text, tag)
        box.configure(state="disabled")
        if at_end:
            box.see("end")


def start(root: tk.Tk, on_connected=None, **options) -> LoginWindow:
    """Show the login window, and after it the chat, in ``root``; ``options`` fill in the login's boxes."""
    if root.tk.call("tk", "windowingsystem") == "x11":
        # X11's own default looks like 1990; macOS and Windows have their own.
        ttk.Style(root).theme_use("clam")
    return LoginWindow(root, on_connected or (lambda client: ChatWindow(root, client)), **options)


def run(name: str, host: str, port: int, tls: bool, ca_file: str | None) -> int:
    """Show the login window, then the chat; returns the exit code when the last window is closed."""
    try:
        root = tk.Tk()
    except tk.TclError as error:
        print(f"client: no window can be opened ({error}): use --terminal instead", file=sys.stderr)
        return 2
    start(root, name=name, host=host, port=port, tls=tls, ca_file=ca_file)
    root.mainloop()
    return 0
