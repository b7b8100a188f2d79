"""The report's "Chatting Program" window (Figures 3.1 and 4.1 to 4.3), and what came after.

Keys and buttons end in one virtual event each (``<<Send>>``, ``<<Disconnect>>``, ``<<Reconnect>>``,
``<<Wire>>``). What is shown is decided in ``lab.chat.chat_log``, without any widget; how other threads reach the
window, in ``lab.chat.queue_reader``.

Keys: Tab goes from box to box, Return sends, Up and Down bring back what was sent, F2 shows the wire, F5
reconnects; in the user list, Return writes to the selected one.
"""

import contextlib
import queue
import threading
import tkinter as tk
from dataclasses import replace
from functools import partial
from tkinter import ttk

from lab.chat.chat_box import ChatBox
from lab.chat.chat_log import ChatLog, Line
from lab.chat.client import ANSWER_S, ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Event
from lab.chat.features.typed_commands import address, enter
from lab.chat.login import ChatError
from lab.chat.queue_reader import QueueReader, connect_in_thread
from lab.chat.widgets import BAD, GOOD, HALF_PAD, PAD, PAPER, bind_action, grid_with_scrollbar, wrap_to_width
from lab.chat.wire_log import WireLog
from lab.chat.wire_view import WirePanes


def key_log_warning(key_log: str) -> str:
    return f"KEY LOG ON: whoever has {key_log} can read this session"


class ChatWindow(QueueReader, ttk.Frame):
    """Heading, chat box, users, message box, Send and Disconnect; the wire, and Reconnect after a loss."""

    def __init__(self, root: tk.Tk, client: ChatClient):
        super().__init__(root, padding=PAD)
        self.root, self.client = root, client
        self.log = ChatLog(client.name)
        self.message = tk.StringVar(root)
        self.trouble = tk.StringVar(root)
        self._sent: list[str] = []  # for the arrow keys
        self._recalled = 0
        self._reconnecting: queue.SimpleQueue[ChatClient | ChatError] | None = None
        root.protocol("WM_DELETE_WINDOW", lambda: self.event_generate("<<Disconnect>>"))

        self.panes = WirePanes(self)
        self.panes.pack(fill="both", expand=True)
        self.chat = self.panes.chat
        self.chat.columnconfigure(0, weight=1)
        self.chat.rowconfigure(2, weight=1)
        self._build_heading()
        self._build_boxes()
        self._build_entry()

        for name, key, action in (
            ("<<Send>>", "<Return>", self.send_message),
            ("<<Disconnect>>", None, self.disconnect),
            ("<<Reconnect>>", "<F5>", self.reconnect),
            ("<<Wire>>", "<F2>", self.toggle_wire),
        ):
            bind_action(self, name, action)
            if key:
                bind_action(root, key, partial(self.event_generate, name))
        root.bind("<FocusIn>", lambda _: self._look(True))
        root.bind("<FocusOut>", lambda _: self._look(root.focus_displayof() is not None))
        self.pack(fill="both", expand=True)
        self.panes.show_chat()
        self.message_box.focus_set()
        self.attach(client)

    # --- building ---------------------------------------------------------------------------------

    def _button(self, parent: tk.Misc, text: str, event: str) -> ttk.Button:
        return ttk.Button(parent, text=text, command=lambda: self.event_generate(event))

    def _build_heading(self) -> None:
        heading = ttk.Frame(self.chat)
        heading.grid(row=0, column=0, columnspan=4, sticky="ew")
        self.wire_button = self._button(heading, "Show the wire (F2)", "<<Wire>>")
        self.wire_button.pack(side="right")
        self.lock_label = ttk.Label(heading)
        self.lock_label.pack(side="right", padx=PAD)
        self.who_label = ttk.Label(heading, font="TkHeadingFont")
        # Last: in a narrow window it takes a second line.
        self.who_label.pack(side="left", fill="x", expand=True)
        wrap_to_width(self.who_label)

    def _build_boxes(self) -> None:
        ttk.Label(self.chat, text="Chat Box").grid(row=1, column=0, sticky="w", pady=(PAD, 0))
        self.chat_box = ChatBox(self.chat)
        grid_with_scrollbar(self.chat_box, row=2, column=0, sticky="nsew")
        users_label = ttk.Label(self.chat, text="Users")
        users_label.grid(row=1, column=2, columnspan=2, sticky="w", padx=(PAD, 0), pady=(PAD, 0))
        self.users_box = tk.Listbox(self.chat, width=18, height=16, font="TkTextFont", activestyle="dotbox")
        self.users_box.configure(exportselection=False, **PAPER)
        grid_with_scrollbar(self.users_box, row=2, column=2, sticky="ns", padx=(PAD, 0))
        for event in ("<Double-Button-1>", "<Return>"):
            bind_action(self.users_box, event, self.write_to_selected)

    def _build_entry(self) -> None:
        ttk.Label(self.chat, text="Enter Message").grid(row=3, column=0, sticky="w", pady=(PAD, 0))
        self.trouble_label = ttk.Label(self.chat, textvariable=self.trouble, foreground=BAD)
        wrap_to_width(self.trouble_label)
        self.message_box = ttk.Entry(self.chat, textvariable=self.message)
        self.message_box.grid(row=4, column=0, columnspan=2, sticky="ew")
        bind_action(self.message_box, "<Up>", lambda: self.recall(-1))
        bind_action(self.message_box, "<Down>", lambda: self.recall(1))
        self.send_button = self._button(self.chat, "Send", "<<Send>>")
        self.send_button.grid(row=4, column=2, columnspan=2, sticky="ew", padx=(PAD, 0))
        # In row 5, after a loss: grid_remove() keeps their places.
        self.reconnect_button = self._button(self.chat, "Reconnect (F5)", "<<Reconnect>>")
        self.trouble_label.grid(row=5, column=0, columnspan=2, sticky="ew", pady=(HALF_PAD, 0))
        self.reconnect_button.grid(
            row=5, column=2, columnspan=2, sticky="ew", padx=(PAD, 0), pady=(HALF_PAD, 0)
        )
        self.trouble_label.grid_remove()
        self.reconnect_button.grid_remove()
        self.disconnect_button = self._button(self.chat, "Disconnect", "<<Disconnect>>")
        self.disconnect_button.grid(row=6, column=0, columnspan=4, sticky="ew", pady=(PAD, 0))

    # --- the connection ---------------------------------------------------------------------------

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
        if self.panes.view and isinstance(client.login.tap, WireLog):
            self.panes.view.follow(client.login.tap)
        threading.Thread(target=self._join, args=[client], daemon=True).start()
        self._watch(client.events)

    @staticmethod
    def _join(client: ChatClient) -> None:
        with contextlib.suppress(ConnectionLost):  # the receiving thread reports it
            client.announce()
            client.answered.wait(ANSWER_S)
            client.ask_users()

    def _show_state(self) -> None:
        assert self.client.connection
        host, port = self.client.connection.local
        self.who_label.configure(text=f"{self.log.name}  ·  my IP {host}, port {port}")
        version = self.client.connection.tls_version
        text, colour = (f"Encrypted: {version}", GOOD) if version else ("Not encrypted", BAD)
        tls = self.client.login.tls
        if tls and tls.keylog_filename:
            text, colour = key_log_warning(tls.keylog_filename), BAD
        self.lock_label.configure(text=text, foreground=colour)

    def send_message(self) -> None:
        text = self.message.get()
        if not text.strip() or self.log.lost is not None:
            return
        try:
            for answer in enter(self.client, text):
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
        self.trouble.set(f"Connecting to {self.client.login.host} port {self.client.login.port} ...")
        connect_in_thread(self._fresh_client(), self._reconnecting)

    def _fresh_client(self) -> ChatClient:
        """Return a client with the same login, to connect anew under the name in use now."""
        login = replace(self.client.login, name=self.client.name, tap=WireLog(bool(self.client.login.tls)))
        return ChatClient(login)

    def _looked(self) -> None:
        if self.panes.view:
            self.panes.view.refresh()
        if self._reconnecting and not self._reconnecting.empty():
            result = self._reconnecting.get()
            self._reconnecting = None
            self.reconnect_button.state(["!disabled"])
            if isinstance(result, ChatError):
                self.trouble.set(str(result))
            else:
                # Not here: what called us is the watch over the old client's queue, which goes on after this.
                self.after_idle(self.attach, result)

    # --- showing ----------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
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
            self.trouble_label.grid()
            self.reconnect_button.grid()
        self._show_title()

    def _show(self, line: Line) -> None:
        self.chat_box.show(line, first_unread=self.log.unread == 1 and not self.log.watched)

    def _show_title(self) -> None:
        self.root.title(f"({self.log.unread}) Chatting Program" if self.log.unread else "Chatting Program")

    def _look(self, watched: bool) -> None:
        """The window has the keyboard now, or has it no more."""
        if watched == self.log.watched:
            return
        if not watched:  # read by now: the mark goes when it is needed elsewhere
            self.chat_box.remove_unread_mark()
        self.log.look(watched)
        self._show_title()

    def recall(self, step: int) -> str:
        """Put an earlier or a later one of the messages that were sent into the box."""
        self._recalled = max(0, min(len(self._sent), self._recalled + step))
        self.message.set(self._sent[self._recalled] if self._recalled < len(self._sent) else "")
        self.message_box.icursor("end")
        return "break"

    def write_to_selected(self) -> str:
        """Begin a private message to whoever is selected in the list."""
        if chosen := self.users_box.curselection():  # type: ignore[no-untyped-call]
            self.message.set(address(self.users_box.get(chosen[0])))
            self.message_box.focus_set()
            self.message_box.icursor("end")
        return "break"  # or Return would send it

    def toggle_wire(self) -> None:
        """Show the wire, or hide it."""
        if self.panes.view:
            self.panes.hide_wire()
        elif isinstance(self.client.login.tap, WireLog):
            self.panes.show_wire(self.client.login.tap)
        self.wire_button.configure(text="Hide the wire (F2)" if self.panes.view else "Show the wire (F2)")
