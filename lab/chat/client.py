"""The client without a window: connect, send, and a receiving thread that feeds a queue.

Theory of operation (Figure 1 of the report: socket, connect, a receiving thread). ``connect`` opens the connection and
sends the name. From then on one thread reads and puts ``lab.chat.events`` on the queue ``events``, at last one ``Lost``. A
window or a terminal takes them from there in its own thread, which is why nothing here knows a widget.

The report wire has no boundaries between messages, so this client leaves a gap after the name, where the report's has
one while its window opens, and otherwise waits for what it can see: ``say`` with ``wait=True`` returns when the message
has come back. Then one read is one message. On the json wire the name is answered before ``connect`` returns, and a
message is known again by its ``id``.
"""

import itertools
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from lab.chat import events
from lab.chat.connection import Connection, ConnectionLost, Tap
from lab.chat.events import WireError
from lab.chat.tls import TlsConnection
from lab.chat.wires import WIRES

CONNECT_S = 10  # until the server must have answered
ECHO_S = 5  # until a message must have come back
FAREWELL_S = 2  # until the server must have closed after Leave


class ChatError(OSError):
    """The chat cannot be joined; the text says why and what to do, in one line."""


@dataclass(frozen=True)
class Login:
    """Who joins what, and how. ``pad_to`` (bytes) and ``password`` need the json wire.

    ``tap`` is shown every byte that goes over the wire. ``server_name`` is what the certificate must be made for, where
    that is not ``host``.
    """

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    wire: str = "report"
    password: str | None = field(default=None, repr=False)
    pad_to: int = 0
    source_port: int = 0
    server_name: str | None = None
    tap: Tap | None = None

    @property
    def warning(self) -> str | None:
        """What a user should know before connecting."""
        if self.password and not self.tls:
            return (
                "without TLS the password goes over the wire in plaintext: everybody on the path can read it"
            )
        return None


class ChatClient:
    """One user's connection. ``events`` is a ``queue.SimpleQueue`` of events, fed by the receiving thread."""

    def __init__(self, login: Login):
        self.login, self.name = login, login.name
        self.wire = WIRES[login.wire](pad_to=login.pad_to)
        self.events: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.offers: tuple[str, ...] = ()  # what the server offers beyond the basics
        self._receiver: threading.Thread | None = None
        self._ids = itertools.count(1)
        self._changed = threading.Condition()  # guards the next two
        self._replies: list[events.Event] = []  # what came since somebody began to wait for it
        self._ended = False
        self._leaving = False
        self._quiet_until = 0.0

    def connect(self) -> "ChatClient":
        """Connect and send the name. Raises ChatError. Then ``announce`` and ``ask_users`` make the user known."""
        login = self.login
        try:
            self.name = self.wire.check_name(login.name)
        except WireError as error:
            raise ChatError(f"This name cannot be used: {error}.") from error
        sock = _reach(login)
        try:
            if login.tls:
                name = login.server_name or login.host
                self.connection = TlsConnection(sock, login.tls, name, CONNECT_S, login.tap)
            else:
                self.connection = Connection(sock, CONNECT_S, login.tap)
            replies = self._log_in(self.connection)
            self.connection.set_deadline(None)
        except (ConnectionLost, WireError) as error:
            self.connection = None
            sock.close()
            raise ChatError(f"{login.host} port {login.port}: {events.printable(str(error))}.") from error
        self._receiver = threading.Thread(target=self._receive, args=[replies], name="receive", daemon=True)
        self._receiver.start()
        return self

    def _log_in(self, connection: Connection) -> list[events.Reply]:
        """Send the name; returns what was received with the answer to it. Raises ConnectionLost or WireError."""
        if self.login.password and not self.wire.welcomes:
            raise WireError("not_offered", f"the {self.wire.name} wire has no passwords")
        connection.send(self.wire.encode(events.Join(self.name, self.login.password)))
        self._quiet_until = time.monotonic() + self.wire.gap_after_name_s
        replies: list = []
        while self.wire.welcomes and not replies:
            data = connection.receive(self.wire.read_bytes)
            if not data:
                raise ConnectionLost(
                    f"the server closed the connection without an answer: does it speak the {self.wire.name} wire?"
                )
            replies = self.wire.feed(data)
        match replies[:1]:
            case [events.Welcome(name, offers)]:
                self.name, self.offers = name, offers
            case [events.Refused(reason, text)]:
                raise WireError(reason, text)
            case [_]:
                raise WireError("bad_event", f"the server does not speak the {self.wire.name} wire")
        return replies

    # --- requests ----------------------------------------------------------------------------------------------------

    def announce(self, wait: bool = False) -> None:
        """Have everyone notified of us, where the server does not do that by itself."""
        self.request(events.Announce(), wait)

    def ask_users(self, wait: bool = False) -> None:
        self.request(events.ListUsers(), wait)

    def say(self, text: str, wait: bool = False) -> None:
        """Send a message; with ``wait`` return when it has come back to us. Raises ConnectionLost."""
        self.request(self.wire.commands.get(text) or events.Say(text, str(next(self._ids))), wait)

    def say_to(self, name: str, text: str, wait: bool = False) -> None:
        """Send a message to one user, where the server offers that."""
        self.request(events.SayTo(name, text, str(next(self._ids))), wait)

    def request(self, request: events.Request, wait: bool = False) -> None:
        """Send a request; with ``wait`` return when it is answered, or after ``ECHO_S``. Raises ConnectionLost."""
        if self.connection is None:
            raise ConnectionLost("not connected")
        try:
            data = self.wire.encode(request)
        except WireError as error:
            self.events.put(events.Refused(error.reason, str(error)))
            return
        if not data:
            return  # this wire has no such request
        with self._changed:
            self._changed.wait_for(lambda: self._ended, max(0, self._quiet_until - time.monotonic()))
            self._replies.clear()
        self._leaving = self._leaving or isinstance(request, events.Leave)
        self.connection.send(data)
        if not wait:
            return
        with self._changed:
            # Joined to another message it is not recognised; then the wait ends with its bound, and all goes on.
            self._changed.wait_for(
                lambda: self._ended or any(map(self._answers(request), self._replies)), ECHO_S
            )

    def _answers(self, request: events.Request):
        """Return a function that tells whether a reply answers the request."""

        def answers(reply: events.Reply) -> bool:
            match request, reply:
                case events.Announce(), events.Announced(name):
                    return name == self.name
                case (events.ListUsers(), events.Users()) | (
                    events.Rename(),
                    events.Renamed() | events.Refused(),
                ):
                    return True
                case ((events.Say() | events.SayTo()), (events.Said() | events.SaidTo())):
                    mine = reply.name == self.name and reply.text == request.text
                    return mine and reply.id in (None, request.id)
                case ((events.Say() | events.SayTo()), events.Refused(_, _, id)):
                    return id == request.id
            return False

        return answers

    def leave(self) -> None:
        """Leave and close, whatever state the connection is in; may be called twice, and never raises."""
        self._leaving = True
        if self.connection is None:
            return
        try:
            self.connection.send(self.wire.encode(events.Leave()))
        except OSError:
            pass  # it has gone already
        if threading.current_thread() is not self._receiver:
            self._receiver.join(FAREWELL_S)  # the server closes first, so nobody's bytes are cut off
        self.connection.close()
        if threading.current_thread() is not self._receiver:
            self._receiver.join()

    # --- the receiving thread ----------------------------------------------------------------------------------------

    def _receive(self, replies: list) -> None:
        try:
            while True:
                for reply in replies:
                    if isinstance(reply, WireError):
                        raise reply
                    if isinstance(reply, events.Renamed) and reply.name == self.name:
                        self.name = reply.to
                    self.events.put(reply)
                    with self._changed:
                        self._replies.append(reply)
                        self._changed.notify_all()
                if not (data := self.connection.receive(self.wire.read_bytes)):
                    raise ConnectionLost("the server closed the connection")
                replies = self.wire.feed(data)
        except (
            ConnectionLost,
            ValueError,
        ) as error:  # ValueError: closed by another thread; or a broken line
            reason = str(error)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self.events.put(events.Lost(None if self._leaving else reason))


def _reach(login: Login) -> socket.socket:
    where = f"{login.host} port {login.port}"
    source = ("", login.source_port) if login.source_port else None
    try:
        if not 0 < login.port <= 65_535:  # getaddrinfo would quietly take another one
            raise OverflowError("a port is a number from 1 to 65535")
        return socket.create_connection((login.host, login.port), CONNECT_S, source_address=source)
    except socket.gaierror as error:
        raise ChatError(f"No host has the name {login.host!r}: check the host box or --host.") from error
    except (ConnectionRefusedError, TimeoutError) as error:
        raise ChatError(
            f"No server answers at {where}: is it running, and does a firewall let it through?"
        ) from error
    except (OSError, OverflowError, UnicodeError) as error:
        raise ChatError(f"Cannot connect to {where}: {getattr(error, 'strerror', None) or error}.") from error
