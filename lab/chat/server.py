"""The threaded chat server of the report: accept, and a thread for each client that reads what it says.

Theory of operation (Figure 1 of the report: socket, bind, listen, accept, a thread per client).

    accept thread     takes each connection and starts a thread for it
    client thread     tells by the first byte what its client speaks, reads its requests, cleans up when it has gone
    broadcaster       delivers to everyone, see lab.chat.room

One port serves all: a first byte of 0x16 starts TLS (RFC 8446 section 5.1), after which, or else, ``{`` starts the
lines wire (see WIRE.md), and anything else is a name on the report wire. The server itself is minimal. Private
messages, accounts, a history are features that it is handed (see lab.chat.feature).

The report's server sends from the client threads under one lock, so one client that stops reading freezes the room.
Here no thread ever waits for another's client.
"""

import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable

from lab.chat import lines, wire
from lab.chat.connection import SOCKET_READ_BYTES, TLS_HANDSHAKE_RECORD, Connection, ConnectionLost, TlsConnection
from lab.chat.feature import Feature
from lab.chat.room import MAX_MEMBERS, Member, Room

BACKLOG = 4096  # connections that the kernel completes before we accept them; with 128, a thousand at once take seconds
LOGIN_S = 10  # who connects and does not log in is dropped after this time
RETRY_S = 0.02  # after accept() has failed
QUIET_S = 10  # the console says again that accept() fails when it has not failed for so long
FAREWELL_S = 2  # how long stop() waits for the last deliveries
WIRES = ("report", "lines")

# A plaintext server's answer to a TLS ClientHello: a fatal alert, protocol_version (RFC 8446 section 6).
TLS_ALERT_NO_TLS_HERE = bytes([0x15, 3, 1, 0, 2, 2, 70])


class ServerError(OSError):
    """The server cannot start; the text says why and what to do."""


class ChatServer:
    """The server; also a context manager. ``console`` gets each line for people, ``port`` 0 takes a free port.

    With ``tls``, TLS is spoken beside plaintext, or with ``tls_only`` alone; ``wires`` narrows the wire formats. An
    empty ``host`` is every interface, IPv4 and IPv6. ``start`` returns when clients can connect; ``stop`` may be
    called twice, and returns when every thread has ended.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9898,
        tls: ssl.SSLContext | None = None,
        console: Callable[[str], None] = print,
        login_s: float = LOGIN_S,
        tls_only: bool = False,
        wires: Iterable[str] = WIRES,
        features: Iterable[Feature] = (),
        max_members: int = MAX_MEMBERS,
        pad_to: int = 0,
    ):
        self.host, self.port, self.tls, self.login_s = host, port, tls, login_s
        self.tls_only, self.wires = tls_only, frozenset(wires)
        self.room = Room(console, features, max_members, pad_to)
        self._console = console
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards the next one
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._accepter = threading.Thread(target=self._accept, name="accept")

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> "ChatServer":
        """Listen and serve. Raises ServerError where the address, or what a feature needs, cannot be had."""
        where = f"{self.host or 'every interface'} port {self.port}"
        try:
            self._listener = self._listen()
        except (OSError, OverflowError) as error:
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
            return socket.create_server(("", self.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        family, _, _, _, address = socket.getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)

    def stop(self) -> None:
        """Tell the clients, close every connection, and wait for the threads to end."""
        if self._listener is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._console("Close Connections...")
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux
        except OSError:
            pass  # macOS and Windows: close() does it there
        self._listener.close()
        self._accepter.join()
        self.room.tell_text("Server Closed")
        self.room.settle(FAREWELL_S)
        self.room.closing.set()
        with self._lock:
            threads = dict(self._threads)
        for sock in threads.values():
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in threads:
            thread.join()
        self.room.close()

    def __enter__(self) -> "ChatServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def names(self) -> tuple[str, ...]:
        """Who is in the room, in order of arrival."""
        return self.room.names

    # --- threads ------------------------------------------------------------------------------------------------------

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
            with self._lock:  # known before it runs, so that stop() finds it
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
        connection = None
        try:
            connection = self._open(sock)
            self._converse(connection)
        except (OSError, wire.WireError) as error:  # ConnectionLost, or a feature without its file
            if not self._stopping.is_set():
                self._console(f"Refused (IP {address[0]}, port {address[1]}): {wire.printable(str(error))}")
        finally:
            with self._lock:
                del self._threads[threading.current_thread()]
            if connection:
                connection.close()
            sock.close()

    def _open(self, sock: socket.socket) -> Connection:
        """Plain or TLS, as the first byte says. Who comes with one that is not spoken here is told so in its own."""
        plain = Connection(sock, self.login_s)
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except OSError:
            plain.close()
            raise ConnectionLost("said nothing in time") from None
        if not first:
            plain.close()
            raise ConnectionLost("left without a word")
        starts_tls = first[0] == TLS_HANDSHAKE_RECORD
        if self.tls and starts_tls:
            return TlsConnection(sock, self.tls, patience_s=self.login_s)
        if not starts_tls and not (self.tls and self.tls_only):
            return plain
        if starts_tls:
            reason, answer = "a TLS client on a plaintext port", TLS_ALERT_NO_TLS_HERE
        else:
            reason = "a plaintext client on a TLS port"
            answer = self._refusal("this server speaks TLS only", first[0] == lines.FIRST_BYTE)
        self._turn_away(plain, answer)
        plain.close()
        raise ConnectionLost(reason)

    def _converse(self, connection: Connection) -> None:
        """Find out which wire the client speaks, log it in, then obey its requests until it leaves."""
        read = connection.receive(wire.READ_BYTES)
        if not read:
            raise ConnectionLost("left without a name")
        speaks_lines = read[0] == lines.FIRST_BYTE
        conversation = (LinesConversation if speaks_lines else ReportConversation)(self.room, connection)
        try:
            if WIRES[speaks_lines] not in self.wires:
                raise lines.LineError("not_offered", f"this server does not speak the {WIRES[speaks_lines]} wire")
            member = conversation.log_in(read)
        except wire.WireError as error:
            self._turn_away(connection, self._refusal(str(error), speaks_lines, getattr(error, "reason", "")))
            raise
        connection.be_patient()
        farewell = ", without a word"
        try:
            self._console(f"Connected: {member}")
            if conversation.obey_all(member):
                farewell = ""
        except (ConnectionLost, wire.WireError) as error:
            farewell = f", {error}"
        finally:  # whatever happens: nobody stays in the list who has gone
            self.room.leave(member)
        self._console(f"Disconnected: {member}{wire.printable(f', {member.dropped}' if member.dropped else farewell)}")
        if not farewell:
            connection.drain()

    @staticmethod
    def _refusal(text: str, speaks_lines: bool, reason: str = "") -> bytes:
        if speaks_lines:
            return lines.Error(reason or "not_offered", text).to_bytes()
        return wire.refusal(text)

    @staticmethod
    def _turn_away(connection: Connection, answer: bytes) -> None:
        try:
            connection.send(answer)
            connection.drain()
        except ConnectionLost:
            pass  # it did not want to know


class ReportConversation:
    """What is said on the report wire: one read is one request."""

    def __init__(self, room: Room, connection: Connection):
        self._room, self._connection = room, connection

    def log_in(self, read: bytes) -> Member:
        member = Member(wire.read_request(read, first=True).name, self._connection, speaks_lines=False)
        self._room.admit(member.name, None, self._connection.peer[0])
        self._room.join(member)
        return member

    def obey_all(self, member: Member) -> bool:
        """Obey requests until the client says that it leaves; False when it has gone without a word."""
        while read := self._connection.receive(wire.READ_BYTES):
            match wire.read_request(read, first=False):
                case wire.Leave():
                    return True
                case wire.Announce():
                    self._room.tell(report=wire.Connected(member.name).to_bytes())
                case wire.ListUsers():
                    self._room.tell_report_users()
                case wire.Say(text):
                    try:
                        if self._room.handle(member, lines.Say(text)):
                            if member.leaving:
                                return True
                        else:
                            self._room.say(member, text)
                    except lines.LineError as error:
                        self._room.tell_text(str(error), to=[member])
        return False


class LinesConversation:
    """What is said on the lines wire: one line is one request; whoever breaks a rule is told which."""

    def __init__(self, room: Room, connection: Connection):
        self._room, self._connection = room, connection
        self._receiver = lines.Receiver()
        self._early: list[bytes] = []  # lines that came together with the first one

    def log_in(self, read: bytes) -> Member:
        while not (received := self._receiver.feed(read)):
            if not (read := self._connection.receive(SOCKET_READ_BYTES)):
                raise ConnectionLost("left in the middle of its first line")
        first, *self._early = received
        request = lines.read_request(first)
        if not isinstance(request, lines.Join):
            raise lines.LineError("bad_event", "the first line must be a join")
        name = lines.check_name(request.name)
        self._room.admit(name, request.password, self._connection.peer[0])
        member = Member(name, self._connection, speaks_lines=True)
        self._room.join(member)
        return member

    def obey_all(self, member: Member) -> bool:
        """Obey requests until the client says that it leaves; False when it has gone without a word."""
        received = self._early
        while True:
            for line in received:
                try:
                    if self._obey(member, line):
                        return True
                except lines.LineError as error:
                    self._complain(member, error)
            read = self._connection.receive(SOCKET_READ_BYTES)
            if not read:
                return False
            try:
                received = self._receiver.feed(read)
            except lines.LineError as error:
                self._complain(member, error)

    def _obey(self, member: Member, line: bytes) -> bool:
        """True when the member leaves."""
        request = lines.read_request(line)
        if self._room.handle(member, request):
            return member.leaving
        match request:
            case lines.Say(text, id_):
                self._room.say(member, text, id_)
            case lines.Who():
                self._room.tell(lines=lines.users_lines(self._room.names), to=[member])
            case lines.Leave():
                return True
            case lines.Join():
                raise lines.LineError("bad_event", "joined already")
            case _:
                raise lines.LineError("not_offered")
        return False

    def _complain(self, member: Member, error: lines.LineError) -> None:
        answer = lines.Error(error.reason, str(error), error.id).to_bytes()
        self._room.tell(lines=answer, to=[member])
        if error.reason in lines.FATAL:
            raise error


def console(line: str) -> None:
    """Print a line at once, also into a pipe; where nobody reads it any more (``| head``), serve on in silence."""
    try:
        print(line, file=sys.stdout, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
