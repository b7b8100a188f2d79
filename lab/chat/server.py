"""The threaded chat server of the report: accept, and a thread for each client that reads what it sends.

Theory of operation (Figure 1 of the report: socket, bind, listen, accept, a thread for each client).

    accept thread     takes each connection and starts a thread for it
    client thread     tells by the first bytes what its client uses, carries out its requests, cleans up after it
    broadcaster       delivers to everyone, see ``room``

One port serves all: a first byte of 0x16 starts TLS (RFC 8446 section 5.1); after that, or else, ``{`` starts the json
wire, and anything else is a name on the report wire. The server itself is minimal: private messages, accounts and a
history are features that it is handed (see ``features``).

The report's server sends from the client threads under one lock, so one client that stops reading freezes the room.
Here no thread ever waits for another one's client.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable

from lab.chat import events, tls
from lab.chat.connection import Connection, ConnectionLost
from lab.chat.events import WireError, printable
from lab.chat.features import Feature
from lab.chat.report_wire import READ_BYTES
from lab.chat.room import MAX_MEMBERS, Member, Room
from lab.chat.wires import WIRES, Wire, wire_for

BACKLOG = 4096  # connections that the kernel completes before we accept them; with 128, a thousand at once take seconds
LOGIN_S = 10  # a client that connects but does not log in is dropped after this time
RETRY_S = 0.02  # after accept() has failed
QUIET_S = 10  # the console says again that accept() fails when it has not failed for so long
FAREWELL_S = 2  # how long stop() waits for the last deliveries


class ServerError(OSError):
    """The server cannot start; the text says why and what to do."""


class ChatServer:
    """The server; also a context manager. ``console`` gets each line for people, ``port`` 0 takes a free port.

    With ``tls`` the port serves TLS beside plaintext, or with ``tls_only`` TLS alone; ``wires`` narrows the wire
    formats. An empty ``host`` is every interface, IPv4 and IPv6. ``start`` returns when clients can connect; ``stop``
    may be called twice, and returns when every thread has ended.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9898,
        tls: ssl.SSLContext | None = None,
        console: Callable[[str], None] = print,
        login_s: float = LOGIN_S,
        tls_only: bool = False,
        wires: Iterable[str] = tuple(WIRES),
        features: Iterable[Feature] = (),
        max_members: int = MAX_MEMBERS,
        pad_to: int = 0,
    ):
        self.host, self.port, self.tls, self.login_s = host, port, tls, login_s
        self.tls_only, self.wires, self.pad_to = tls_only, frozenset(wires), pad_to
        self.room = Room(console, features, max_members)
        self._console = console
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards the next one
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._accepter = threading.Thread(target=self._accept, name="accept")

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> "ChatServer":
        """Listen and serve. Raises ServerError where the address, or what a feature needs, cannot be had."""
        try:
            self._listener = self._listen()
        except (OSError, OverflowError) as error:
            where = f"{self.host or 'every interface'} port {self.port}"
            reason = getattr(error, "strerror", None) or error
            raise ServerError(f"cannot listen on {where}: {reason}; try another --port or --host") from error
        try:
            self.room.open()
        except OSError as error:
            self._listener.close()
            raise ServerError(str(error)) from error
        self.port = self._listener.getsockname()[1]
        self._accepter.start()
        self._console("Allowing Connections...")
        return self

    def _listen(self) -> socket.socket:
        if not 0 <= self.port <= 65_535:  # getaddrinfo would quietly take another one
            raise OverflowError("a port is a number from 0 to 65535")
        if not self.host and socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", self.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
        found = socket.getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(found[0][4][:2], family=found[0][0], backlog=BACKLOG)

    def stop(self) -> None:
        """Notify the clients, close every connection, and wait for the threads to end."""
        if self._listener is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._console("Close Connections...")
        _shut_down(self._listener)  # wakes accept() on Linux; on macOS and Windows close() does
        self._listener.close()
        self._accepter.join()
        self.room.post(events.Notice("Server Closed"))
        self.room.settle(FAREWELL_S)
        self.room.closing.set()
        with self._lock:
            threads = dict(self._threads)
        for sock in threads.values():
            _shut_down(sock)
        for thread in threads:
            thread.join()
        self.room.close()

    def __enter__(self) -> "ChatServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- threads -----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        failed_s = -QUIET_S
        while not self._stopping.is_set():
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                if time.monotonic() - failed_s > QUIET_S:
                    self._console(f"A connection could not be accepted: {error.strerror}")
                failed_s = time.monotonic()
                time.sleep(RETRY_S)  # out of file descriptors: some will be closed
                continue
            thread = threading.Thread(target=self._serve, args=[sock, address], name="client", daemon=True)
            with self._lock:  # registered before it runs, so that stop() finds it
                self._threads[thread] = sock
            try:
                thread.start()
            except RuntimeError:  # the system's limit of threads
                with self._lock:
                    del self._threads[thread]
                sock.close()
                self._console("A connection could not be accepted: no more threads")

    def _serve(self, sock: socket.socket, address: tuple) -> None:
        """One client's thread, from its first byte to its last."""
        connection, who = None, f"(IP: {address[0]} | Remote addr: {address[1]})"
        try:
            connection = tls.accept(sock, self.tls, self.login_s)
            self._converse(connection, who)
        except (OSError, WireError) as error:  # ConnectionLost, or a feature without its file
            if not self._stopping.is_set():
                self._console(f"*** {who} Refused: {printable(str(error))} ***")
        finally:
            with self._lock:
                del self._threads[threading.current_thread()]
            if connection:
                connection.close()
            sock.close()

    def _converse(self, connection: Connection, who: str) -> None:
        """Log a client in and carry out its requests until it leaves. Raises ConnectionLost or WireError before."""
        first = connection.receive(READ_BYTES)
        if not first:
            raise ConnectionLost("disconnected without sending a name")
        wire = wire_for(first, self.pad_to)
        try:
            member, requests = self._log_in(connection, wire, first)
        except WireError as error:
            self._turn_away(
                connection, wire.encode(events.Refused(error.reason, str(error), error.id, closing=True))
            )
            raise
        connection.set_deadline(None)
        ending = ": disconnected without notice"
        try:
            self._console(f"*** {printable(member.name)} Connected {who} ***")
            if self._carry_out(member, requests):
                ending = ""
        except (ConnectionLost, WireError) as error:
            ending = f": {error}"
        finally:  # whatever happens: nobody stays in the list who has gone
            self.room.leave(member)
        ending = printable(f": {member.dropped}" if member.dropped else ending)
        self._console(f"*** <{printable(member.name)}> {who} Disconnected{ending} ***")
        if not ending:
            connection.finish()

    def _log_in(self, connection: Connection, wire: Wire, data: bytes) -> tuple[Member, list]:
        """Return the new member, and requests that came along with its name. Raises ConnectionLost or WireError."""
        if self.tls_only and not connection.tls_version:
            raise WireError("not_offered", "this server speaks TLS only")
        if wire.name not in self.wires:
            raise WireError("not_offered", f"this server does not speak the {wire.name} wire")
        while not (requests := wire.feed(data)):
            if not (data := connection.receive(wire.read_bytes)):
                raise ConnectionLost("disconnected in the middle of its first line")
        join = requests[0]
        if isinstance(join, WireError):
            raise join
        if not isinstance(join, events.Join):
            raise WireError("bad_event", "the first line must be a join")
        member = Member(join.name, connection, wire)
        self.room.join(member, join.password)
        return member, requests[1:]

    def _carry_out(self, member: Member, requests: list) -> bool:
        """Carry out requests until the client leaves; False when it has closed its connection without that."""
        while True:
            for request in requests:
                try:
                    if self._handle(member, request):
                        return True
                except WireError as error:
                    self.room.post(events.Refused(error.reason, str(error), error.id), to=[member])
                    if error.fatal:
                        raise
            if not (data := member.connection.receive(member.wire.read_bytes)):
                return False
            requests = member.wire.feed(data)

    def _handle(self, member: Member, request: events.Request | WireError) -> bool:
        """Carry out one request; True when the member leaves. Raises WireError."""
        if isinstance(request, WireError):
            raise request
        if self.room.features and self.room.handle(member, request):
            return member.leaving
        match request:
            case events.Say(text, id):
                self.room.post(events.Said(member.name, text, id), sender=member)
            case events.Announce():
                self.room.post(events.Announced(member.name))
            case events.ListUsers(everyone):
                if everyone:
                    self.room.post_users()
                else:
                    self.room.post(events.Users(self.room.names), to=[member])
            case events.Leave():
                return True
            case events.Join():
                raise WireError("bad_event", "joined already")
            case _:
                raise WireError("not_offered")
        return False

    @staticmethod
    def _turn_away(connection: Connection, answer: bytes) -> None:
        try:
            connection.send(answer)
            connection.finish()
        except ConnectionLost:
            pass  # it has gone


def _shut_down(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has gone
