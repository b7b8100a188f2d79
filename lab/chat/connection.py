"""One TCP connection, in plaintext or under TLS; the code above it cannot tell which.

Theory of operation. A ``Connection`` has a socket that one thread reads and other threads write. Under TLS the
``ssl`` object stands between two memory buffers (``ssl.MemoryBIO``) instead of on the socket: bytes from the network
are put into one, bytes for the network are taken from the other, and a lock guards the TLS state while the socket
itself is waited on without it. So a reader that waits never keeps a writer waiting, and a ``tap`` can be shown exactly
what goes over the wire.

    send(text) -> SSLObject.write -> outgoing BIO -> socket        (plaintext: straight to the socket)
    receive()  <- SSLObject.read  <- incoming BIO <- socket

There are two ways to send, never used by two threads at a time: ``send`` waits until all has gone (the client; the
server while somebody is not in the room), ``seal`` and ``send_now`` wait for nothing (the room's broadcaster).

Errors: ``ConnectionLost`` for whatever ends a connection, with one line that says what happened.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

SOCKET_READ_BYTES = 16_384 + 512  # one whole TLS record and its header fit (RFC 8446 section 5.2)
FOREVER_S = 1_000_000  # eleven days; the largest wait that every system's poll() takes is 24
TLS_HANDSHAKE_RECORD = 0x16  # the first byte of every TLS connection (RFC 8446 section 5.1)
DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", None)  # a flag of Linux and macOS; Windows has none

Tap = Callable[[str, bytes], None]  # called with "sent" or "received" and the bytes, just as they are on the wire


class ConnectionLost(OSError):
    """The connection has ended or cannot be made; the text says why in one line."""


class Connection:
    """A plaintext connection. ``peer`` is the (host, port) of the other side, ``local`` that of this one."""

    tls_version: str | None = None
    cipher: str | None = None

    def __init__(self, sock: socket.socket, patience_s: float | None = None, tap: Tap | None = None):
        try:
            self.peer, self.local = sock.getpeername()[:2], sock.getsockname()[:2]
        except OSError as error:
            raise ConnectionLost("the other side has gone already") from error
        self.socket = sock
        self.tap = tap
        self._sending = threading.Lock()
        # For sends that must not wait. Where there is no flag for that, a second name of the same socket does it.
        self._impatient = sock if DO_NOT_WAIT is not None else sock.dup()
        if self._impatient is not sock:
            self._impatient.setblocking(False)
        self.be_patient(patience_s)
        # A chat line must not wait for the acknowledgement of the one before it (Nagle's algorithm, RFC 896).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def be_patient(self, patience_s: float | None = None) -> None:
        """Set how long all that is received from now on may take *together*; None for as long as it takes."""
        self._deadline = None if patience_s is None else time.monotonic() + patience_s
        if patience_s is None and self._impatient is not self.socket:
            patience_s = FOREVER_S  # two names share one blocking mode, and the other one needs "does not block"
        self.socket.settimeout(patience_s)

    def receive(self, limit: int) -> bytes:
        """The next bytes, ``limit`` at the most; b"" when the other side has closed. Raises ConnectionLost."""
        try:
            if self._deadline is not None:  # a byte now and then buys no more time
                self.socket.settimeout(max(0.001, self._deadline - time.monotonic()))
            data = self.socket.recv(limit)
        except TimeoutError:
            raise ConnectionLost("the other side said nothing in time") from None
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        if self.tap and data:
            self.tap("received", data)
        return data

    def send(self, data: bytes) -> None:
        """Send all of ``data``; waits while the other side does not read. Raises ConnectionLost."""
        with self._sending:  # held over both steps: TLS records must leave in the order in which they were sealed
            self._send_all(self.seal(data))

    def seal(self, data: bytes) -> bytes:
        """The bytes that carry ``data`` over the wire: itself, or its TLS records. They must be sent in this order."""
        return data

    def send_now(self, sealed: bytes | memoryview) -> int:
        """Send what the socket takes of ``sealed`` bytes without waiting; returns how many. Raises OSError."""
        try:
            return self._impatient.send(sealed, DO_NOT_WAIT or 0)
        except BlockingIOError:
            return 0

    def drain(self, patience_s: float = 1) -> None:
        """Say that nothing more follows and read until the other side closes, so that it gets what was sent last.

        (A close with unread bytes sends RST, and a RST makes the other side forget what it has not read yet.)
        """
        self.be_patient(patience_s)
        self._say_goodbye()
        try:
            self.socket.shutdown(socket.SHUT_WR)
            for _ in range(64):  # bounded: who goes on sending is cut off
                if not Connection.receive(self, SOCKET_READ_BYTES):
                    break
        except OSError:
            pass

    def abort(self) -> None:
        """Cut the connection from any thread: whoever waits on it wakes up. Its reader closes it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection in order (FIN), whichever thread waits on it; may be called twice."""
        self._say_goodbye()
        self.abort()
        self.socket.close()
        self._impatient.close()

    def _send_all(self, sealed: bytes) -> None:
        try:
            if self.tap and sealed:
                self.tap("sent", sealed)
            self.socket.sendall(sealed)
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def _say_goodbye(self) -> None:
        """What the protocol wants said before a close: in plaintext nothing."""


class TlsConnection(Connection):
    """The same over TLS. The constructor does the handshake and raises ConnectionLost where it fails."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_name: str | None = None,
        patience_s: float | None = None,
        tap: Tap | None = None,
    ):
        super().__init__(sock, patience_s, tap)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self._state = threading.Lock()
        try:
            self._until_done(self._tls.do_handshake)
        except ssl.SSLError as error:
            with contextlib.suppress(OSError):
                self._send_all(self._outgoing.read())  # the alert that tells the other side why
            raise ConnectionLost(explain_tls_error(error)) from error
        self.tls_version = self._tls.version()
        self.cipher = self._tls.cipher()[0]

    def receive(self, limit: int) -> bytes:
        try:
            return self._until_done(lambda: self._tls.read(limit))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            raise ConnectionLost(explain_tls_error(error)) from error

    def seal(self, data: bytes) -> bytes:
        with self._state:
            rest = memoryview(data)
            while rest:
                rest = rest[self._tls.write(rest) :]
            return self._outgoing.read()

    def _say_goodbye(self) -> None:
        """The alert close_notify (RFC 8446 section 6.1), by which the other side knows that nothing was cut off."""
        with self._state:
            with contextlib.suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()  # fails, since it wants the peer's farewell as well; but ours is written by then
            farewell = self._outgoing.read()
        with contextlib.suppress(OSError):
            if farewell and self.send_now(farewell) and self.tap:  # a socket that is full goes without
                self.tap("sent", farewell)

    def _until_done(self, step: Callable):
        """Repeat a TLS step, feeding it from the socket, until it has what it needs.

        What TLS itself wants to say goes out at once in the handshake. Later it waits for the next ``seal``, since the
        thread that writes may be in the middle of a record (RFC 8446 section 4.6.3 lets an answer wait that long).
        """
        while True:
            with self._state:
                try:
                    result = step()
                    needs_more = False
                except ssl.SSLWantReadError:
                    result, needs_more = None, True
                pending = b"" if self.tls_version else self._outgoing.read()
            if pending:
                self._send_all(pending)
            if not needs_more:
                return result
            received = super().receive(SOCKET_READ_BYTES)
            with self._state:
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()


def explain_tls_error(error: ssl.SSLError) -> str:
    """One line for a TLS failure, with what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message.rstrip('.')}"
    reason = (error.reason or "").upper()
    if isinstance(error, ssl.SSLEOFError):
        return "the other side closed the connection in the middle of TLS"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"):
        return "the other side does not speak TLS on this port"
    if "ALERT" in reason:
        if "PROTOCOL_VERSION" in reason:
            return "the other side speaks another version of TLS, or none on this port"
        alert = reason.split("ALERT_", 1)[-1].replace("_", " ").lower()
        return f"the other side refused TLS with the alert: {alert}"
    return f"TLS failed: {reason.replace('_', ' ').lower() or error}"
