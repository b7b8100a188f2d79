"""The threaded chat server of the report, with a thread for each client that reads, and one that delivers.

Theory of operation (Figure 1 of the report: socket, bind, listen, accept, a thread per client).

    accept thread     takes each connection and starts a thread for it
    client thread     reads requests; puts what everyone must get on the queue; cleans up when its client has gone
    broadcaster       takes from the queue and hands it to every client in turn, waiting for none of them

The report's server sends from the client threads under one lock, so one client that stops reading freezes the room.
Here no thread sends to another's client except the broadcaster, and that never waits: what a socket does not take
is kept for it, up to ``MAX_PENDING_BYTES``, and then the client is dropped. Since one thread delivers, all clients see
the same messages in the same order.

Not supported here: checks on who is who, more than one room, anything that must survive a restart.
"""

import os
import queue
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable

from lab.chat import wire
from lab.chat.connection import TLS_HANDSHAKE_RECORD, Connection, ConnectionLost, TlsConnection

BACKLOG = 128  # connections that the kernel completes before we accept them
LOGIN_S = 10  # who connects and says nothing is dropped after this time
MAX_PENDING_BYTES = 1 << 20  # what is kept for a client that does not read, before it is dropped
RETRY_S = 0.02  # how soon a full socket is tried again
FAREWELL_S = 2  # how long stop() waits for the last deliveries

# A plaintext server's answer to a TLS ClientHello: a fatal alert, protocol_version (RFC 8446 section 6).
TLS_ALERT_NO_TLS_HERE = bytes([0x15, 3, 1, 0, 2, 2, 70])


class ServerError(OSError):
    """The server cannot start; the text says why and what to do."""


class Member:
    """Somebody in the room: a name, a connection, and what is still to be delivered to it."""

    def __init__(self, name: str, connection: Connection):
        self.name = name
        self.connection = connection
        self.pending = bytearray()
        self.dropped: str | None = None

    def __str__(self) -> str:
        host, port = self.connection.peer
        return f"{wire.printable(self.name)} (IP {host}, port {port})"

    def deliver(self, message: bytes) -> None:
        """Send, or keep for later, without waiting. Only the broadcaster calls this."""
        self.pending += self.connection.seal(message)
        self.flush()

    def flush(self) -> None:
        try:
            while self.pending and (sent := self.connection.send_now(self.pending)):
                del self.pending[:sent]
        except (OSError, ValueError) as error:  # its own thread finds out too, and cleans up
            self.drop(str(error))
        if len(self.pending) > MAX_PENDING_BYTES:
            self.drop(f"does not read: {MAX_PENDING_BYTES} bytes are waiting")

    def drop(self, reason: str) -> None:
        self.dropped = self.dropped or reason
        self.pending.clear()
        self.connection.abort()


class ChatServer:
    """The server; also a context manager. ``console`` gets each line for people, ``port`` 0 takes a free port.

    ``start`` returns when clients can connect; ``stop`` may be called twice, and returns when every thread has ended.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9898,
        tls: ssl.SSLContext | None = None,
        console: Callable[[str], None] = print,
        login_s: float = LOGIN_S,
    ):
        self.host, self.port, self.tls, self.login_s = host, port, tls, login_s
        self._console = console
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the two below, and is never held while sending
        self._members: list[Member] = []
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._accepter = threading.Thread(target=self._accept, name="accept")
        self._broadcaster = threading.Thread(target=self._broadcast, name="broadcast")

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> "ChatServer":
        """Listen and serve. Raises ServerError where the address cannot be had."""
        try:
            if not 0 <= self.port <= 65_535:  # getaddrinfo would quietly take another one
                raise OverflowError("a port is a number from 0 to 65535")
            family, _, _, _, address = socket.getaddrinfo(
                self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise ServerError(
                f"cannot listen on {self.host or 'every interface'} port {self.port}: "
                f"{getattr(error, 'strerror', None) or error}; try another --port or --host"
            ) from error
        self.port = self._listener.getsockname()[1]
        self._accepter.start()
        self._broadcaster.start()
        self._console("Allowing Connections...")
        return self

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
        self._queue.put(wire.Text("*** Server Closed ***").to_bytes())
        self._queue.put(None)
        self._broadcaster.join(FAREWELL_S)
        with self._lock:
            threads = dict(self._threads)
        for sock in threads.values():
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in threads:
            thread.join()

    def __enter__(self) -> "ChatServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def names(self) -> tuple[str, ...]:
        """Who is in the room, in order of arrival."""
        with self._lock:
            return tuple(member.name for member in self._members)

    # --- threads ------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                self._console(f"A connection could not be accepted: {error.strerror}")
                time.sleep(RETRY_S)  # out of file descriptors: some will be closed
                continue
            thread = threading.Thread(target=self._serve, args=[sock, address], name="client", daemon=True)
            with self._lock:  # known before it runs, so that stop() finds it
                self._threads[thread] = sock
            thread.start()

    def _serve(self, sock: socket.socket, address: tuple) -> None:
        """One client's thread, from its first byte to its last."""
        connection = None
        try:
            connection = self._open(sock)
            self._converse(connection)
        except (ConnectionLost, wire.WireError) as error:
            if not self._stopping.is_set():
                self._console(f"Refused (IP {address[0]}, port {address[1]}): {wire.printable(str(error))}")
        finally:
            if connection:
                connection.close()
            sock.close()
            with self._lock:
                del self._threads[threading.current_thread()]

    def _open(self, sock: socket.socket) -> Connection:
        """Plain or TLS, as this server has it. Who comes with the other one is told so in its own language."""
        plain = Connection(sock, self.login_s)
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except OSError:
            plain.close()
            raise ConnectionLost("said nothing in time") from None
        if not first:
            plain.close()
            raise ConnectionLost("left without a word")
        if self.tls and first[0] == TLS_HANDSHAKE_RECORD:
            return TlsConnection(sock, self.tls, patience_s=self.login_s)
        if not self.tls and first[0] != TLS_HANDSHAKE_RECORD:
            return plain
        reason = "a plaintext client on a TLS port" if self.tls else "a TLS client on a plaintext port"
        answer = wire.refusal("this server speaks TLS only") if self.tls else TLS_ALERT_NO_TLS_HERE
        try:
            plain.send(answer)
            plain.drain()
        finally:
            plain.close()
        raise ConnectionLost(reason)

    def _converse(self, connection: Connection) -> None:
        """Log the client in, then obey its requests until it leaves."""
        read = connection.receive(wire.READ_BYTES)
        if not read:
            raise ConnectionLost("left without a name")
        try:
            member = Member(wire.read_request(read, first=True).name, connection)
        except wire.WireError as error:
            connection.send(wire.refusal(str(error)))
            connection.drain()
            raise
        connection.be_patient()
        with self._lock:
            self._members.append(member)
        self._console(f"Connected: {member}")
        farewell, leaving = "", False
        try:
            while read := connection.receive(wire.READ_BYTES):
                request = wire.read_request(read, first=False)
                if request == wire.Leave():
                    leaving = True
                    break
                self._obey(member, request)
            else:
                farewell = f", {member.dropped or 'without a word'}"
        except ConnectionLost as error:
            farewell = f", {member.dropped or error}"
        finally:
            with self._lock:
                self._members.remove(member)
            self._console(f"Disconnected: {member}{farewell}")
            self._tell_users()
        if leaving:
            connection.drain()

    def _obey(self, member: Member, request: wire.Request) -> None:
        match request:
            case wire.Announce():
                self._queue.put(wire.Connected(member.name).to_bytes())
            case wire.ListUsers():
                self._tell_users()
            case wire.Say(text):
                self._queue.put(wire.Said(member.name, text).to_bytes())

    def _tell_users(self) -> None:
        with self._lock:  # put under the lock, so that lists arrive in the order in which they became true
            self._queue.put(wire.Users(tuple(member.name for member in self._members)).to_bytes())

    def _broadcast(self) -> None:
        """Deliver everything on the queue to everyone, until None comes. The only thread that sends to members."""
        while True:
            with self._lock:
                members = list(self._members)
            try:
                message = self._queue.get(timeout=RETRY_S if any(m.pending for m in members) else None)
            except queue.Empty:
                for member in members:
                    member.flush()
                continue
            if message is None:
                return
            with self._lock:  # again: somebody may have come while we waited
                members = list(self._members)
            for member in members:
                if not member.dropped:
                    member.deliver(message)


def console(line: str) -> None:
    """Print a line at once, also into a pipe; where nobody reads it any more (``| head``), serve on in silence."""
    try:
        print(line, file=sys.stdout, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
