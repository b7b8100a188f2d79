"""The client without a window (Figure 1 of the report: socket, connect, a receiving thread).

``connect`` sends the name. From then on one thread reads and puts ``lab.chat.events`` on the queue ``events``, at last
one ``Lost``; a window or a terminal takes them from there in its own thread. The report wire has no boundaries between
messages, so this client leaves a gap after the name, as the report's does while its window opens. Waiting for
``answered`` before the next request keeps one read one message.
"""

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Iterator

from lab.chat import events, tls
from lab.chat.connection import Connection, ConnectionLost, reason
from lab.chat.events import Event, Request, WireError, printable
from lab.chat.login import ChatError, Login
from lab.chat.wires import WIRES, received

CONNECT_S = 10  # until the server must have answered
NAME_GAP_S = 0.1  # after the name, where nothing comes back for it
ANSWER_S = 5  # for ``answered``: an answer that TCP joined to another message is not recognised
FAREWELL_S = 2  # until the server must have closed after Leave
ANSWERS: dict[type[Request], type[Event]] = {
    events.Say: events.Said,
    events.SayTo: events.SaidTo,
    events.Announce: events.Announced,
    events.ListUsers: events.Users,
    events.Rename: events.Renamed,
}


class ChatClient:
    """One user's connection. ``events`` is fed by the receiving thread."""

    def __init__(self, login: Login):
        self.login, self.name = login, login.name
        self.wire = WIRES[login.wire](pad_to=login.pad_to)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.offers: tuple[str, ...] = ()  # what the server offers beyond the basics
        self._ids = itertools.count(1)
        self.answered = threading.Event()  # whether the last request is, or nothing more can come
        self._answer: type[Event] | None = None  # the kind that it has
        self._ended = self._leaving = False

    def connect(self) -> "ChatClient":
        """Connect and send the name. Raises ChatError. Then ``announce`` and ``ask_users`` make the user known."""
        login = self.login
        try:
            self.name = self.wire.check_name(login.name)
            connection = tls.connect(login, CONNECT_S)
        except WireError as error:
            raise ChatError(f"This name cannot be used: {error}.") from error
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

    def announce(self) -> None:
        """Have everyone notified of us, where the server does not do that by itself."""
        self.request(events.Announce())

    def ask_users(self) -> None:
        self.request(events.ListUsers())

    def say(self, text: str) -> None:
        command = self.wire.commands.get(text.encode(errors="replace"))
        self.request(command or events.Say(text, str(next(self._ids))))

    def say_to(self, name: str, text: str) -> None:
        """Send a message to one user, where the server offers that."""
        self.request(events.SayTo(name, text, str(next(self._ids))))

    def request(self, request: Request) -> None:
        """Send a request. Raises ConnectionLost."""
        if self.connection is None:
            raise ConnectionLost("not connected")
        self._leaving |= isinstance(request, events.Leave)
        self._answer = ANSWERS.get(type(request))
        self.answered.clear()
        data = b""
        try:
            data = self.wire.encode(request)
            self.connection.send(data)
        except WireError as error:
            self.events.put(error.refusal())
        except OSError as error:
            raise ConnectionLost(reason(error)) from error
        if self._ended or not data:
            self.answered.set()

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
                ours = getattr(reply, "name", self.name) == self.name
                if ours and isinstance(reply, events.Renamed):
                    self.name = reply.to
                self.events.put(reply)
                if ours and type(reply) in (self._answer, events.Refused):
                    self.answered.set()
        except (OSError, ValueError) as error:  # ValueError: closed by another thread; or a broken line
            ending = reason(error)
        self._ended = True
        self.answered.set()
        self.events.put(events.Lost(None if self._leaving else ending))
