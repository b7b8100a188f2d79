"""The client without a window (Figure 1 of the report: socket, connect, a receiving thread).

``connect`` sends the name. From then on one thread reads and puts ``lab.chat.events`` on the queue ``events``, at last
one ``Lost``; a window or a terminal takes them from there in its own thread. The report wire has no boundaries between
messages, so this client leaves a gap after the name, as the report's does while its window opens; ``say`` with
``wait=True`` returns when the message has come back. Then one read is one message.
"""

import contextlib
import itertools
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.chat import events, tls
from lab.chat.connection import Connection, ConnectionLost, Dial, Tap, reason
from lab.chat.events import Event, Request, WireError, printable
from lab.chat.wires import WIRES, received

CONNECT_S = 10  # until the server must have answered
NAME_GAP_S = 0.1  # after the name, where nothing comes back for it
ECHO_S = 5  # until a message must have come back
FAREWELL_S = 2  # until the server must have closed after Leave


class ChatError(OSError):
    """The chat cannot be joined; the text says why and what to do, in one line."""


@dataclass(frozen=True)
class Login:
    """Who joins what, and how. ``pad_to`` (bytes) and ``password`` need the json wire."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    wire: str = "report"
    password: str | None = field(default=None, repr=False)
    pad_to: int = 0
    dial: Dial = socket.create_connection  # makes the TCP connection
    server_name: str | None = None  # what the certificate must be made for, where that is not ``host``
    tap: Tap | None = None  # is shown every byte that goes over the wire


class ChatClient:
    """One user's connection. ``events`` is fed by the receiving thread."""

    def __init__(self, login: Login):
        self.login, self.name = login, login.name
        self.wire = WIRES[login.wire](pad_to=login.pad_to)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.offers: tuple[str, ...] = ()  # what the server offers beyond the basics
        self._ids = itertools.count(1)
        self._awaited: tuple[Request, threading.Event] | None = None  # a request, and whether it is answered
        self._ended = self._leaving = False

    def connect(self) -> "ChatClient":
        """Connect and send the name. Raises ChatError. Then ``announce`` and ``ask_users`` make the user known."""
        login = self.login
        try:
            self.name = self.wire.check_name(login.name)
        except WireError as error:
            raise ChatError(f"This name cannot be used: {error}.") from error
        try:
            connection = tls.connect(
                login.host, login.port, login.tls, login.server_name, CONNECT_S, login.dial, login.tap
            )
        except ConnectionLost as error:
            raise ChatError(str(error)) from error
        replies = received(connection, self.wire)
        try:
            self._log_in(connection, replies)
        except (OSError, WireError) as error:
            connection.close()
            raise ChatError(f"{login.host} port {login.port}: {printable(reason(error))}.") from error
        connection.set_deadline(None)
        self.connection = connection
        self._receiver = threading.Thread(target=self._receive, args=[replies], name="receive", daemon=True)
        self._receiver.start()
        return self

    def _log_in(self, connection: Connection, replies: Iterator[Event | WireError]) -> None:
        """Send the name, and take the answer to it. Raises OSError or WireError."""
        if self.login.password and not self.wire.welcomes:
            raise WireError("not_offered", f"the {self.wire.name} wire has no passwords")
        connection.send(self.wire.encode(events.Join(self.name, self.login.password)))
        if not self.wire.welcomes:
            time.sleep(NAME_GAP_S)
            return
        match next(replies, None):
            case events.Welcome(name, offers) as welcome:
                self.name, self.offers = name, offers
                self.events.put(welcome)
            case events.Refused(reason, text):
                raise WireError(reason, text)
            case None:
                raise ConnectionLost("the server closed the connection: does it speak the json wire?")
            case _:
                raise ConnectionLost(f"the server does not speak the {self.wire.name} wire")

    def announce(self, wait: bool = False) -> None:
        """Have everyone notified of us, where the server does not do that by itself."""
        self.request(events.Announce(), wait)

    def ask_users(self, wait: bool = False) -> None:
        self.request(events.ListUsers(), wait)

    def say(self, text: str, wait: bool = False) -> None:
        """Send a message; with ``wait`` return when it has come back to us. Raises ConnectionLost."""
        command = self.wire.commands.get(text.encode(errors="replace"))
        self.request(command or events.Say(text, str(next(self._ids))), wait)

    def say_to(self, name: str, text: str, wait: bool = False) -> None:
        """Send a message to one user, where the server offers that."""
        self.request(events.SayTo(name, text, str(next(self._ids))), wait)

    def request(self, request: Request, wait: bool = False) -> None:
        """Send a request; with ``wait`` return when it is answered, or after ``ECHO_S``. Raises ConnectionLost."""
        if self.connection is None:
            raise ConnectionLost("not connected")
        answered = threading.Event()
        if wait:  # one thread at a time may
            self._awaited = request, answered
        self._leaving |= isinstance(request, events.Leave)
        try:
            data = self.wire.encode(request)
            self.connection.send(data)
        except WireError as error:
            self.events.put(error.refusal())
        except OSError as error:
            raise ConnectionLost(reason(error)) from error
        else:
            if wait and data and not self._ended:
                # Joined to another message the answer is not recognised, and all goes on.
                answered.wait(ECHO_S)

    def leave(self) -> None:
        """Leave and close, whatever state the connection is in; may be called twice, and never raises."""
        if self.connection is None:
            return
        with contextlib.suppress(OSError):
            self.request(events.Leave())
        self._receiver.join(FAREWELL_S)  # the server closes first, so nobody's bytes are cut off
        self.connection.close()
        self._receiver.join()

    def _receive(self, replies: Iterator[Event | WireError]) -> None:
        """The receiving thread."""
        ending = "the server closed the connection"
        try:
            for reply in replies:
                if isinstance(reply, WireError):
                    raise reply
                if isinstance(reply, events.Renamed) and reply.name == self.name:
                    self.name = reply.to
                self.events.put(reply)
                if self._awaited and self._answers(self._awaited[0], reply):
                    self._awaited[1].set()
        except (OSError, ValueError) as error:  # ValueError: closed by another thread; or a broken line
            ending = reason(error)
        self._ended = True
        if self._awaited:
            self._awaited[1].set()
        self.events.put(events.Lost(None if self._leaving else ending))

    def _answers(self, request: Request, reply: Event) -> bool:
        match request, reply:
            case ((events.Say() | events.SayTo()), (events.Said(name) | events.SaidTo(name))) if (
                name == self.name
            ):
                return reply.text == request.text and reply.id in (None, request.id)
            case ((events.Say() | events.SayTo()), events.Refused()):
                return reply.id == request.id
            case events.Announce(), events.Announced(name):
                return name == self.name
            case (events.ListUsers(), events.Users()) | (
                events.Rename(),
                events.Renamed() | events.Refused(),
            ):
                return True
        return False
