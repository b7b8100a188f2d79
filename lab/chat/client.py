"""The client without a face: connect, send, and a receiving thread that feeds a queue.

Theory of operation (Figure 1 of the report: socket, connect, a receiving thread). ``ChatClient.connect`` opens the
connection and sends the name. From then on one thread reads, and puts events on ``events``: the replies of
``lab.chat.wire``, then one ``Lost`` when the connection has ended. A window or a terminal takes them from there in
its own thread, which is why nothing here knows a widget.

The report wire has no boundaries between messages, so this client leaves a gap where the report's has one (while its
window opens, between the name and what follows) and otherwise waits for what it can see: ``say`` with ``wait=True``
returns when the line's own broadcast has come back. Then one read is one message.
"""

import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from lab.chat import wire
from lab.chat.connection import Connection, ConnectionLost, TlsConnection

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


Event = wire.Reply | Lost


class ChatClient:
    """One user's connection. ``events`` is a ``queue.SimpleQueue`` of Event, fed by the receiving thread."""

    def __init__(
        self, name: str, host: str, port: int, tls: ssl.SSLContext | None = None, source_port: int = 0
    ):
        self.name, self.host, self.port, self.tls = name, host, port, tls
        self.source_port = source_port
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self._receiver = threading.Thread(target=self._receive, name=f"receive {name}", daemon=True)
        self._seen = threading.Condition()
        self._replies: list[wire.Reply] = []  # what came since somebody began to wait for it
        self._leaving = self._ended = False
        self._named_at = 0.0

    # --- requests -----------------------------------------------------------------------------------------------------

    def connect(self) -> "ChatClient":
        """Connect and send the name; raises ChatError. Then ``announce`` and ``ask_users`` make us known."""
        try:
            name = wire.check_name(self.name)
        except wire.WireError as error:
            raise ChatError(f"This name cannot be used: {error}.") from error
        self.name = name
        where = f"{self.host} port {self.port}"
        try:
            if not 0 < self.port <= 65_535:  # getaddrinfo would quietly take another one
                raise OverflowError("a port is a number from 1 to 65535")
            sock = socket.create_connection(
                (self.host, self.port),
                CONNECT_S,
                source_address=("", self.source_port) if self.source_port else None,
            )
        except socket.gaierror as error:
            raise ChatError(f"No host has the name {self.host!r}: check the host box or --host.") from error
        except (ConnectionRefusedError, TimeoutError) as error:
            raise ChatError(
                f"No server answers at {where}: is it running, and does a firewall let it through?"
            ) from error
        except (OSError, OverflowError, UnicodeError) as error:
            raise ChatError(
                f"Cannot connect to {where}: {getattr(error, 'strerror', None) or error}."
            ) from error
        try:
            self.connection = self._open(sock)
            self.connection.send(wire.Join(name).to_bytes())
            self._named_at = time.monotonic()
        except ConnectionLost as error:
            sock.close()
            raise ChatError(f"{where}: {error}.") from error
        self._receiver.start()
        return self

    def _open(self, sock: socket.socket) -> Connection:
        if self.tls is None:
            connection = Connection(sock)
        else:
            connection = TlsConnection(sock, self.tls, server_name=self.host, patience_s=CONNECT_S)
            connection.be_patient()
        return connection

    def announce(self, wait: bool = False) -> None:
        self._send(wire.Announce(), wire.Connected(self.name) if wait else None)

    def ask_users(self, wait: bool = False) -> None:
        self._send(wire.ListUsers(), wire.Users if wait else None)

    def say(self, text: str, wait: bool = False) -> None:
        """Send a line; with ``wait`` return when it has come back to us. Raises ConnectionLost."""
        match wire.read_request(text.encode(), first=False):  # as the server will read it
            case wire.Announce():
                self.announce(wait)
            case wire.ListUsers():
                self.ask_users(wait)
            case wire.Leave():
                self._send(wire.Leave(), Lost if wait else None)
            case _:
                self._send(wire.Say(text), wire.Said(self.name, text) if wait else None)

    def leave(self) -> None:
        """Say !Exit and close, whatever state the connection is in; may be called twice, and never raises."""
        self._leaving = True
        if self.connection is None:
            return
        try:
            self.connection.send(wire.Leave().to_bytes())
        except OSError:
            pass  # it has gone already
        self._receiver.join(FAREWELL_S)  # the server closes first, so nobody's bytes are cut off
        self.connection.close()
        if threading.current_thread() is not self._receiver:
            self._receiver.join()

    def _send(self, request: wire.Request, expected=None) -> None:
        if self.connection is None:
            raise ConnectionLost("not connected")
        with self._seen:
            gap_s = self._named_at + NAME_GAP_S - time.monotonic()
            if gap_s > 0:
                self._seen.wait_for(lambda: self._ended, gap_s)
            self._replies.clear()
        self.connection.send(request.to_bytes())
        if expected is not None:
            self._wait_for(expected)

    def _wait_for(self, expected) -> None:
        def arrived() -> bool:
            return self._ended or any(
                isinstance(reply, expected)
                if isinstance(expected, type)
                else reply.to_bytes() == expected.to_bytes()
                for reply in self._replies
            )

        with self._seen:
            # Glued to another's line it is not recognised; then the wait ends with its bound, and all goes on.
            self._seen.wait_for(arrived, ECHO_S)

    # --- the receiving thread -----------------------------------------------------------------------------------------

    def _receive(self) -> None:
        reason = None
        try:
            while read := self.connection.receive(wire.READ_BYTES):
                for reply in wire.read_reply(read):
                    self.events.put(reply)
                    with self._seen:
                        self._replies.append(reply)
                        self._seen.notify_all()
            reason = "the server closed the connection"
        except (ConnectionLost, ValueError) as error:  # ValueError: closed under our hands
            reason = str(error)
        with self._seen:
            self._ended = True
            self._seen.notify_all()
        self.events.put(Lost(None if self._leaving else reason))
