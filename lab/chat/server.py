"""The threaded chat server of the report (Figure 1).

    accept thread     takes each connection and starts a thread for it, see ``listener``
    client thread     detects its client's wire by the first bytes, carries out its requests, cleans up
    broadcaster       delivers to everyone, see ``room``

One port serves all: a first byte of 0x16 starts TLS (RFC 8446 section 5.1); after that, or else, ``{`` starts the json
wire, and anything else is a name on the report wire. The report's server sends from the client threads under one lock,
so one client that stops reading freezes the room. Here no thread ever waits for another one's client.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from lab.chat import events, tls
from lab.chat.connection import Connection, ConnectionLost, reason
from lab.chat.events import Event, WireError, printable
from lab.chat.features import Feature
from lab.chat.listener import Listener
from lab.chat.member import Member
from lab.chat.report_wire import READ_BYTES
from lab.chat.room import MAX_MEMBERS, Room
from lab.chat.wires import received, wire_for

LOGIN_S = 10  # a client that connects but does not log in is dropped after this time


@dataclass(eq=False)
class ChatServer:
    """The server; also a context manager. ``console`` gets each line for people, ``port`` 0 takes a free port.

    With ``tls`` the port serves TLS beside plaintext. An empty ``host`` is every interface. What goes beyond the basics
    are ``features`` that it is handed.
    """

    host: str = "127.0.0.1"
    port: int = 9898
    tls: ssl.SSLContext | None = None
    console: Callable[[str], None] = print
    login_s: float = LOGIN_S
    features: Collection[Feature] = ()
    max_members: int = MAX_MEMBERS
    pad_to: int = 0

    def __post_init__(self) -> None:
        self.room = Room(self.console, self.features, self.max_members)
        self._listener = Listener(self._serve, self.console)

    def start(self) -> "ChatServer":
        """Return when clients can connect. Raises ServerError, or OSError where a feature cannot start."""
        self.room.open()
        try:
            self.port = self._listener.open(self.host, self.port)
        except OSError:
            self.room.close()
            raise
        self.console("Allowing Connections...")
        return self

    def stop(self) -> None:
        """Notify the clients, close every connection, and return when all threads have ended; may be called twice."""
        if self._listener.close():
            self.console("Close Connections...")
            self.room.post(events.Notice("Server Closed"))
            self.room.close()
            self._listener.cut()

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Serve one client, from its first byte to its last."""
        who = f"(IP: {address[0]} | Remote addr: {address[1]})"
        try:
            with contextlib.closing(tls.accept(sock, self.tls, self.login_s)) as connection:
                member, requests = self._log_in(connection)
                try:
                    self.console(f"*** {printable(member.name)} Connected {who} ***")
                    ending = self._carry_out(member, requests)
                except OSError as error:
                    ending = reason(error)
                finally:  # whatever happens: nobody stays in the list who has gone
                    self.room.leave(member)
                ending = printable(member.dropped or ending)
                because = f": {ending}" if ending else ""
                self.console(f"*** <{printable(member.name)}> {who} Disconnected{because} ***")
                if not ending:
                    connection.finish()
        except (OSError, WireError) as error:
            if not self._listener.closing.is_set():
                self.console(f"*** {who} Refused: {printable(reason(error))} ***")
        finally:
            self._listener.release()

    def _log_in(self, connection: Connection) -> tuple[Member, Iterator[Event | WireError]]:
        """Return the new member, and the requests that it makes. Raises OSError or WireError."""
        first = connection.receive(READ_BYTES)
        wire = wire_for(first, self.pad_to)
        requests = received(connection, wire, first)
        try:
            match next(requests, None):
                case events.Join(name, password):
                    member = Member(name, connection, wire)
                    self.room.join(member, password)
                case None:
                    raise ConnectionLost("disconnected before it had logged in")
                case WireError() as error:
                    raise error
                case _:
                    raise WireError("bad_event", "the first line must be a join")
        except WireError as error:
            with contextlib.suppress(OSError):
                connection.send(wire.encode(error.refusal(closing=True)))
                connection.finish()
            raise
        connection.set_deadline(None)
        return member, requests

    def _carry_out(self, member: Member, requests: Iterable[Event | WireError]) -> str:
        """Carry out requests until the client leaves, and return why it does so without notice."""
        for request in requests:
            try:
                if isinstance(request, WireError):
                    raise request
                if self.features and any(feature.handle(member, request) for feature in self.features):
                    if member.leaving:
                        return ""
                    continue
                match request:
                    case events.Say(text, id):
                        self.room.post(events.Said(member.name, text, id), sender=member)
                    case events.Announce():
                        self.room.post(events.Announced(member.name))
                    case events.ListUsers(everyone=True):
                        self.room.post_users()
                    case events.ListUsers():
                        self.room.post(events.Users(self.room.names), [member])
                    case events.Leave():
                        return ""
                    case events.Join():
                        raise WireError("bad_event", "joined already")
                    case _:
                        raise WireError("not_offered")
            except WireError as error:
                self.room.post(error.refusal(), [member])
                if error.fatal:
                    return str(error)
        return "disconnected without notice"
