"""The report's "Chatting Program" window (Figures 3.1 and 4.1 to 4.3), and what came after.

What is shown is decided in ``lab.chat.chat_log``, without any widget; how other threads reach the window, in
``lab.chat.widgets``.

Keys: Tab goes from box to box, Return sends, Up and Down bring back what was sent, F2 shows the wire, F5
reconnects; in the user list, Return writes to the selected one.
"""

import contextlib
import threading
import tkinter as tk
from dataclasses import replace
from functools import partial
from tkinter import ttk

from lab.chat.chat_log import ChatLog, Line
from lab.chat.client import ANSWER_S, ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Event, Typing, printable
from lab.chat.features.typed_commands import address, enter
from lab.chat.login import ChatError
from lab.chat.widgets import (
    BAD,
    GOOD,
    PAD,
    PAPER,
    ChatBox,
    TextBox,
    Window,
    bind_action,
    enable,
    pack_with_scrollbar,
    put,
    resize_on_screen,
    show,
    wrap_to_width,
)
from lab.chat.wire_log import WireLog
from lab.chat.wire_view import WireView, show_beside, show_in_a_window

SMALLEST = "420p", "285p"  # width and height of the window, without the wire
ENTER = "Enter Message"
KEY_LOG_WARNING = "KEY LOG ON: whoever has {} can read this session"


class ChatWindow(Window):
    """Heading, chat box, users, message box, Send and Disconnect; the wire, and Reconnect after a loss."""

    def __init__(self, root: tk.Tk, client: ChatClient):
        super().__init__(root, padding=PAD)
        self.log = ChatLog(client.name)
        self._sent: list[str] = []  # for the arrow keys
        self._recalled = 0
        self.wire_view: WireView | None = None
        root.protocol("WM_DELETE_WINDOW", self.disconnect)
        bind_action(root, "<Return>", self.send_message)
        bind_action(root, "<F2>", self.toggle_wire)
        bind_action(root, "<F5>", self.reconnect)
        root.bind("<FocusIn>", lambda _: self._look(True))
        root.bind("<FocusOut>", lambda _: self._look(root.focus_displayof() is not None))

        self.chat = ttk.Frame(self)
        self.chat.pack(side="left", fill="both", expand=True)
        self.chat.columnconfigure(0, weight=1)
        self.chat.rowconfigure(2, weight=1)
        self._build_heading()
        self._build_boxes()
        self._build_entry()
        root.update_idletasks()  # so that all know their sizes
        root.minsize(*map(root.winfo_pixels, SMALLEST))
        resize_on_screen(root, root.winfo_reqwidth(), root.winfo_reqheight())
        self.message.focus_set()
        self.attach(client)
        self.read_inbox()

    # --- building: the chat's rows, from the heading to Disconnect --------------------------------

    def _build_heading(self) -> None:
        heading = put(ttk.Frame(self.chat), row=0, columnspan=2)
        self.wire_button = ttk.Button(heading, text="Show the wire (F2)", command=self.toggle_wire)
        self.wire_button.pack(side="right")
        self.lock_label = ttk.Label(heading)
        self.lock_label.pack(side="right", padx=PAD)
        # Last: in a narrow window it takes a second line.
        self.who_label = ttk.Label(heading, font="TkHeadingFont")
        self.who_label.pack(side="left", fill="x", expand=True)
        wrap_to_width(self.who_label)

    def _build_boxes(self) -> None:
        put(ttk.Label(self.chat, text="Chat Box"), row=1)
        put(ttk.Label(self.chat, text="Users"), row=1, column=1)
        self.chat_box = pack_with_scrollbar(ChatBox(put(ttk.Frame(self.chat), row=2, sticky="nsew")))
        users_frame = put(ttk.Frame(self.chat), row=2, column=1, sticky="nsew")
        users = tk.Listbox(users_frame, width=18, font="TkTextFont", activestyle="dotbox", **PAPER)
        users.configure(exportselection=False)
        self.users_box = pack_with_scrollbar(users)
        bind_action(users, "<Double-Button-1>", self.write_to_selected)
        bind_action(users, "<Return>", self.write_to_selected)

    def _build_entry(self) -> None:
        button = partial(ttk.Button, self.chat)
        self.entry_label = put(ttk.Label(self.chat, text=ENTER), row=3)
        self.message = put(TextBox(self.chat), row=4)
        self.message.bind("<KeyPress>", lambda _: self._report_key(), add="+")
        bind_action(self.message, "<Up>", lambda: self.recall(-1))
        bind_action(self.message, "<Down>", lambda: self.recall(1))
        self.send_button = put(button(text="Send", command=self.send_message), row=4, column=1)
        # These two are shown after a loss, see ``_show_trouble``.
        self.trouble = put(ttk.Label(self.chat, foreground=BAD), row=5)
        wrap_to_width(self.trouble)
        self.reconnect_button = put(button(text="Reconnect (F5)", command=self.reconnect), row=5, column=1)
        self.disconnect_button = put(button(text="Disconnect", command=self.disconnect), row=6, columnspan=2)

    # --- the connection ---------------------------------------------------------------------------

    def attach(self, client: ChatClient) -> None:
        """Show what this client gets from now on; what was said before stays on the screen."""
        assert isinstance(client.login.tap, WireLog)
        self.client, self.inbox, self.wire_log = client, client.events, client.login.tap
        self.log.name, self.log.lost, self.log.users = client.name, None, ()
        self._show_users()
        self._show_state()
        self._show_trouble("")
        if self.wire_view:
            self.wire_view.follow(self.wire_log)
        threading.Thread(target=self._join, args=[client], daemon=True).start()

    @staticmethod
    def _join(client: ChatClient) -> None:
        with contextlib.suppress(ConnectionLost):  # the receiving thread reports it
            client.announce()
            client.answered.wait(ANSWER_S)
            client.ask_users()

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

    def _report_key(self) -> None:
        if self.client.login.typing and "typing" in self.client.offers:
            with contextlib.suppress(ConnectionLost):
                self.client.request(Typing())

    def disconnect(self) -> None:
        """Leave the chat and close the window."""
        # leave() waits for the server's own close, so it is not done in this thread.
        threading.Thread(target=self.client.leave).start()
        self.root.destroy()

    def reconnect(self) -> None:
        """Try again with the name in use now and the same server; what was not sent stays in its box."""
        if self.log.lost is None or self.reconnect_button.instate(["disabled"]):
            return
        enable(self.reconnect_button, False)
        login = replace(self.client.login, name=self.client.name, tap=WireLog(self.wire_log.tls))
        self._show_trouble(f"Connecting to {login.host} port {login.port} ...")
        self.connect_in_thread(login)

    def read_inbox(self) -> None:
        super().read_inbox()
        if self.wire_view:
            self.wire_view.refresh()

    def take(self, item: Event | ChatClient | ChatError) -> None:
        if isinstance(item, ChatClient | ChatError):
            enable(self.reconnect_button)
        if isinstance(item, ChatClient):
            self.attach(item)
        elif isinstance(item, ChatError):
            self._show_trouble(str(item))
        else:
            self._take_event(item)

    # --- showing ----------------------------------------------------------------------------------

    def _take_event(self, event: Event) -> None:
        users, name = self.log.users, self.log.name
        line = self.log.take(event)
        if line:
            self._show(line)
            self.entry_label["text"] = ENTER
        elif isinstance(event, Typing) and not event.idle:
            self.entry_label["text"] = f"{ENTER} ({printable(event.name or '')} is typing)"
        if self.log.users != users:
            self._show_users()
        if self.log.name != name:
            self._show_state()
        if self.log.lost is not None:
            self._show_trouble(f"Connection lost: {self.log.lost}. Nothing that you type is sent.")
        self._show_title()

    def _show(self, line: Line) -> None:
        self.chat_box.show(line, first_unread=self.log.unread == 1 and not self.log.watched)

    def _show_users(self) -> None:
        self.users_box.delete(0, "end")
        self.users_box.insert("end", *self.log.users)

    def _show_title(self) -> None:
        self.root.title(f"({self.log.unread}) Chatting Program" if self.log.unread else "Chatting Program")

    def _show_state(self) -> None:
        assert self.client.connection
        host, port = self.client.connection.local
        self.who_label["text"] = f"{self.log.name}  ·  my IP {host}, port {port}"
        version = self.client.connection.tls_version
        text, colour = (f"Encrypted: {version}", GOOD) if version else ("Not encrypted", BAD)
        tls = self.client.login.tls
        if tls and tls.keylog_filename:
            text, colour = KEY_LOG_WARNING.format(tls.keylog_filename), BAD
        self.lock_label.configure(text=text, foreground=colour)

    def _show_trouble(self, text: str) -> None:
        """Show why nothing can be sent, and the way out; or, without a text, neither."""
        self.trouble["text"] = text
        enable(self.send_button, not text)
        show(self.trouble, bool(text))
        show(self.reconnect_button, bool(text))

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
        return "break"

    def write_to_selected(self) -> str:
        """Begin a private message to whoever is selected in the list."""
        if chosen := self.users_box.curselection():  # type: ignore[no-untyped-call]
            self.message.set(address(self.users_box.get(chosen[0])))
            self.message.focus_set()
        return "break"  # or Return would send it

    def toggle_wire(self) -> None:
        """Show the wire, or hide it."""
        if self.wire_view:
            self.wire_view.close()
            self.wire_view = None
        else:
            beside = show_beside(self.chat, self.wire_log)
            self.wire_view = beside or show_in_a_window(self.chat, self.wire_log, self.toggle_wire)
        self.wire_button["text"] = "Hide the wire (F2)" if self.wire_view else "Show the wire (F2)"
