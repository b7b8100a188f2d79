"""The client without a face: connect, send, and a receiving thread that feeds a queue.

Theory of operation (Figure 1 of the report: socket, connect, a receiving thread). ``ChatClient.connect`` opens the
connection and sends the name. From then on one thread reads, and puts events on ``events``: the replies of
``lab.chat.wire`` or of ``lab.chat.lines``, whichever wire it speaks, then one ``Lost`` when the connection has ended. A
window or a terminal takes them from there in its own thread, which is why nothing here knows a widget.

The report wire has no boundaries between messages, so this client leaves a gap where the report's has one (while its
window opens, between the name and what follows) and otherwise waits for what it can see: ``say`` with ``wait=True``
returns when the line's own broadcast has come back. Then one read is one message. On the lines wire nothing needs a
gap, the name is answered before ``connect`` returns, and a line is known again by its ``id``.
"""

import itertools
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.chat import commands, lines, wire
from lab.chat.connection import SOCKET_READ_BYTES, Connection, ConnectionLost, Tap, TlsConnection
from lab.chat.wire_log import WireLog

CONNECT_S = 10  # until the server must have answered
ECHO_S = 5  # until a line's own broadcast must have come back
FAREWELL_S = 2  # until the server must have closed after !Exit
# Nothing comes back for a name, so nothing can be waited for: the report's client leaves this gap by opening a window.
NAME_GAP_S = 0.1


class ChatError(OSError):
    """The chat cannot be joined; the text says why and what to do, in one line."""


@dataclass(frozen=True)
class Lost:
    """The last event of a connection. ``reason`` is None when we left ourselves."""

    reason: str | None


Event = wire.Reply | lines.Reply | Lost


class ChatClient:
    """One user's connection. ``events`` is a ``queue.SimpleQueue`` of Event, fed by the receiving thread.

    ``speaks`` is the wire format, "report" or "lines"; ``password`` and ``pad_to`` (bytes) are for lines alone.
    ``tap`` is shown every byte that goes over the wire, from the connection's first one on. ``server_name`` is whom the
    certificate must speak of, where that is not ``host``.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        source_port: int = 0,
        speaks: str = "report",
        password: str | None = None,
        pad_to: int = 0,
        tap: Tap | None = None,
        server_name: str | None = None,
    ):
        self.name, self.host, self.port, self.tls = name, host, port, tls
        self.server_name = server_name or host
        self.source_port, self.speaks, self.password, self.pad_to, self.tap = source_port, speaks, password, pad_to, tap
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.offers: tuple[str, ...] = ()  # what a server on the lines wire offers beyond the basics
        self._receiver = threading.Thread(target=self._receive, name=f"receive {name}", daemon=True)
        self._lines = lines.Receiver()
        self._early: list[bytes] = []  # lines that came together with the welcome
        self._users: tuple[str, ...] = ()  # the first part of a long list
        self._ids = itertools.count(1)
        self._seen = threading.Condition()
        self._replies: list[Event] = []  # what came since somebody began to wait for it
        self._leaving = self._ended = False
        self._named_at = 0.0

    def again(self) -> "ChatClient":
        """A fresh client with the same name, server and options, to connect anew."""
        tap = type(self.tap)(bool(self.tls)) if isinstance(self.tap, WireLog) else self.tap
        return ChatClient(
            self.name, self.host, self.port, self.tls, 0, self.speaks, self.password, self.pad_to, tap, self.server_name
        )

    @property
    def warning(self) -> str | None:
        """What a user should know before connecting."""
        if self.password and not self.tls:
            return "without TLS the password goes over the wire in plaintext: everybody on the path can read it"
        return None

    # --- requests -----------------------------------------------------------------------------------------------------

    def connect(self) -> "ChatClient":
        """Connect and send the name; raises ChatError. Then ``announce`` and ``ask_users`` make us known."""
        try:
            self.name = self._check_name()
        except wire.WireError as error:
            raise ChatError(f"This name cannot be used: {error}.") from error
        sock = self._reach()
        try:
            if self.tls:
                self.connection = TlsConnection(sock, self.tls, self.server_name, CONNECT_S, self.tap)
            else:
                self.connection = Connection(sock, CONNECT_S, self.tap)
            if self.speaks == "lines":
                self._log_in()
            else:
                self.connection.send(wire.Join(self.name).to_bytes())
                self._named_at = time.monotonic()
            self.connection.be_patient()
        except (ConnectionLost, wire.WireError) as error:
            self.connection = None
            sock.close()
            raise ChatError(f"{self.host} port {self.port}: {wire.printable(str(error))}.") from error
        self._receiver.start()
        return self

    def _check_name(self) -> str:
        if self.speaks == "lines":
            return lines.check_name(self.name)
        if self.password:
            raise wire.WireError("the report wire knows no passwords, choose lines")
        return wire.check_name(self.name)

    def _reach(self) -> socket.socket:
        where = f"{self.host} port {self.port}"
        source = ("", self.source_port) if self.source_port else None
        try:
            if not 0 < self.port <= 65_535:  # getaddrinfo would quietly take another one
                raise OverflowError("a port is a number from 1 to 65535")
            return socket.create_connection((self.host, self.port), CONNECT_S, source_address=source)
        except socket.gaierror as error:
            raise ChatError(f"No host has the name {self.host!r}: check the host box or --host.") from error
        except (ConnectionRefusedError, TimeoutError) as error:
            raise ChatError(
                f"No server answers at {where}: is it running, and does a firewall let it through?"
            ) from error
        except (OSError, OverflowError, UnicodeError) as error:
            raise ChatError(f"Cannot connect to {where}: {getattr(error, 'strerror', None) or error}.") from error

    def _log_in(self) -> None:
        """Send the name and wait for the answer to it. Raises ConnectionLost or LineError."""
        self._send_line(lines.Join(self.name, self.password))
        while not self._early:
            if not (read := self.connection.receive(SOCKET_READ_BYTES)):
                raise ConnectionLost(
                    "the server closed the connection without an answer: does it speak the lines wire?"
                )
            if read[0] != lines.FIRST_BYTE and not self.offers:
                raise ConnectionLost("the server does not speak the lines wire; choose the report's")
            self._early = self._lines.feed(read)
        answer = lines.read_reply(self._early.pop(0))
        if isinstance(answer, lines.Error):
            raise lines.LineError(answer.reason if answer.reason in lines.REASONS else "not_offered", answer.text)
        if not isinstance(answer, lines.Welcome):
            raise lines.LineError("bad_event", "the server did not welcome us")
        self.name, self.offers = answer.name, answer.offers
        self._deliver(answer)

    def announce(self, wait: bool = False) -> None:
        """Have everyone told that we are here; on the lines wire the server does that by itself."""
        if self.speaks == "report":
            self._send(wire.Announce().to_bytes(), wire.Connected(self.name) if wait else None)

    def ask_users(self, wait: bool = False) -> None:
        if self.speaks == "report":
            self._send(wire.ListUsers().to_bytes(), wire.Users if wait else None)
        else:
            self._request(lines.Who(), wait)

    def say(self, text: str, wait: bool = False) -> None:
        """Send a line; with ``wait`` return when it has come back to us. Raises ConnectionLost."""
        if self.speaks == "lines":
            return self._request(lines.Say(text), wait)
        match wire.read_request(text.encode(errors="replace"), first=False):  # as the server will read it
            case wire.Announce():
                self.announce(wait)
            case wire.ListUsers():
                self.ask_users(wait)
            case wire.Leave():
                self._leaving = True
                self._send(wire.Leave().to_bytes(), Lost if wait else None)
            case wire.Say(text):
                is_command = text.startswith("/")  # its answer may have any shape, or not come at all
                self._send(text.encode(), wire.Said(self.name, text) if wait and not is_command else None)

    def enter(self, text: str, wait: bool = False) -> list[str]:
        """Do what a person typed, commands and all; returns lines that answer it here. Raises ConnectionLost."""
        if self.speaks == "report":
            self.say(text, wait)
            return []
        try:
            request = commands.parse(text)
        except commands.CommandError as error:
            return [str(error)]
        match request:
            case commands.Help():
                return list(commands.HELP)
            case lines.Leave():
                self.leave()
            case lines.Msg() if "private" not in self.offers:
                return ["this server does not offer private messages, so nothing was sent"]
            case _:
                self._request(request, wait)
        return []

    def leave(self) -> None:
        """Say that we leave and close, whatever state the connection is in; may be called twice, and never raises."""
        self._leaving = True
        if self.connection is None:
            return
        lines_farewell = lines.pad(lines.Leave().to_bytes(), self.pad_to)
        try:
            self.connection.send(lines_farewell if self.speaks == "lines" else wire.Leave().to_bytes())
        except OSError:
            pass  # it has gone already
        if threading.current_thread() is not self._receiver:
            self._receiver.join(FAREWELL_S)  # the server closes first, so nobody's bytes are cut off
        self.connection.close()
        if threading.current_thread() is not self._receiver:
            self._receiver.join()

    def _request(self, request: lines.Request, wait: bool) -> None:
        expected: Callable[[Event], bool] | type | None = None
        match request:
            case lines.Say(text) | lines.Msg(_, text) if not lines.is_text(text):
                self._deliver(lines.Error("bad_text", lines.REASONS["bad_text"]))
                return
            case lines.Say(text):
                request = lines.Say(text, str(next(self._ids)))
            case lines.Msg(to, text):
                request = lines.Msg(to, text, str(next(self._ids)))
        if wait:
            match request:
                case lines.Say() | lines.Msg():
                    # Others count their messages too, so the name must be ours; an error's is.
                    expected = lambda reply: (  # noqa: E731
                        getattr(reply, "id", None) == request.id and getattr(reply, "name", self.name) == self.name
                    )
                case lines.Who():
                    expected = lines.Users
                case lines.Nick():
                    expected = lambda reply: isinstance(reply, lines.Error | lines.Renamed)  # noqa: E731
        self._send(lines.pad(request.to_bytes(), self.pad_to), expected)

    def _send_line(self, request: lines.Request) -> None:
        self.connection.send(lines.pad(request.to_bytes(), self.pad_to))

    def _send(self, data: bytes, expected=None) -> None:
        """Send, and wait for an event that is equal to ``expected``, one of that class, or one for which it is true."""
        if self.connection is None:
            raise ConnectionLost("not connected")
        with self._seen:
            gap_s = self._named_at + NAME_GAP_S - time.monotonic()
            if gap_s > 0:
                self._seen.wait_for(lambda: self._ended, gap_s)
            self._replies.clear()
        self.connection.send(data)
        if expected is None:
            return

        def is_it(reply: Event) -> bool:
            if isinstance(expected, type):
                return isinstance(reply, expected)
            return expected(reply) if callable(expected) else reply == expected

        with self._seen:
            # Glued to another's line it is not recognised; then the wait ends with its bound, and all goes on.
            self._seen.wait_for(lambda: self._ended or any(map(is_it, self._replies)), ECHO_S)

    # --- the receiving thread -----------------------------------------------------------------------------------------

    def _receive(self) -> None:
        try:
            if self.speaks == "lines":
                self._receive_lines()
            else:
                while read := self.connection.receive(wire.READ_BYTES):
                    for reply in wire.read_reply(read):
                        self._deliver(reply)
            reason = "the server closed the connection"
        except (ConnectionLost, ValueError) as error:  # ValueError: closed under our hands; or a line that is none
            reason = str(error)
        with self._seen:
            self._ended = True
            self._seen.notify_all()
        self.events.put(Lost(None if self._leaving else reason))

    def _receive_lines(self) -> None:
        received = self._early
        while True:
            for line in received:
                match lines.read_reply(line):
                    case None:
                        pass  # of a newer server
                    case lines.Users(names, more):
                        self._users += names
                        if not more:
                            self._deliver(lines.Users(self._users))
                            self._users = ()
                    case lines.Renamed(name, to) as renamed:
                        if name == self.name:
                            self.name = to
                        self._deliver(renamed)
                    case reply:
                        self._deliver(reply)
            if not (read := self.connection.receive(SOCKET_READ_BYTES)):
                return
            received = self._lines.feed(read)

    def _deliver(self, reply: Event) -> None:
        self.events.put(reply)
        with self._seen:
            self._replies.append(reply)
            self._seen.notify_all()
