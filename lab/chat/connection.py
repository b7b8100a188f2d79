"""One TCP connection. ``tls.TlsConnection`` is the same under TLS: the code above cannot tell which it has.

Theory of operation. One thread reads a connection; others write to it, in one of two ways that are never mixed at the
same time:

    send          waits until everything is sent       the client; the server before a user has joined
    send_nowait   sends what fits and keeps the rest   the room's broadcaster, which must never wait

Whatever ends a connection is an OSError; ``reason`` makes one line for people of it.
"""

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

READ_BYTES = 16_384 + 512  # one whole TLS record and its header fit (RFC 8446 section 5.2)
FOREVER_S = 1_000_000  # eleven days; the largest wait that every system's poll() takes is 24
MSG_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)  # a flag of Linux and macOS; Windows has none

Dial = Callable[[tuple[str, int], float], socket.socket]  # called with an address and a time limit in seconds
Tap = Callable[[str, bytes], None]  # called with "sent" or "received" and the bytes as they are on the wire


class ConnectionLost(OSError):
    """The connection has ended; the text says why in one line."""


def reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def shut_down(sock: socket.socket) -> None:
    """Cut a connection from any thread: whichever thread waits on it wakes up."""
    with contextlib.suppress(OSError):  # it has gone
        sock.shutdown(socket.SHUT_RDWR)


class Connection:
    """A plaintext connection. ``peer`` is the (host, port) of the other side, ``local`` that of this one."""

    tls_version: str | None = None
    cipher: str | None = None

    def __init__(self, sock: socket.socket, deadline_s: float | None = None, tap: Tap | None = None):
        self.peer, self.local = sock.getpeername()[:2], sock.getsockname()[:2]
        self.socket, self.tap = sock, tap
        self.unsent_bytes = 0  # what send_nowait has kept
        self._unsent: deque[bytes | memoryview] = deque()  # all members that are behind share these bytes
        self._sending = threading.RLock()
        # Reads block, but send_nowait must not: a flag says so for one send; without it, a second handle does.
        self._nowait_socket = sock if MSG_DONTWAIT else sock.dup()
        if not MSG_DONTWAIT:
            self._nowait_socket.setblocking(False)
        self.set_deadline(deadline_s)
        # A chat message must not wait for the acknowledgement of the one before it (Nagle's algorithm, RFC 896).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def set_deadline(self, seconds: float | None) -> None:
        """Bound how long all that is received from now on may take *together*; None for no bound."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        # Two handles of a socket share one blocking mode, so where there are two, the first has a time limit always.
        self.socket.settimeout(FOREVER_S if seconds is None and not MSG_DONTWAIT else seconds)

    def receive(self, limit: int) -> bytes:
        """Return the next bytes, ``limit`` at most; b"" when the other side has closed."""
        if self._deadline is not None:  # a byte now and then must not buy more time
            self.socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        data = self.socket.recv(limit)
        if self.tap and data:
            self.tap("received", data)
        return data

    def send(self, data: bytes) -> None:
        """Send all of ``data``; wait while the other side does not read."""
        with self._sending:
            if self.tap and data:
                self.tap("sent", data)
            self.socket.sendall(data)

    def send_nowait(self, pieces: Sequence[bytes]) -> int:
        """Send what the socket takes, keep the rest for the next time, and return its size."""
        self._unsent += pieces
        self.unsent_bytes += sum(map(len, pieces))
        try:
            while self._unsent:
                piece = self._unsent[0]
                sent = self._nowait_socket.send(piece, MSG_DONTWAIT)
                self.unsent_bytes -= sent
                if sent == len(piece):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = memoryview(piece)[sent:]
        except BlockingIOError:
            pass
        return self.unsent_bytes

    def finish(self, seconds: float = 1) -> None:
        """Send nothing more, and read until the other side closes: a RST for unread bytes would cost it the last ones."""
        self.set_deadline(seconds)
        self._say_goodbye()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            for _ in range(64):  # bounded: whoever goes on sending is cut off
                if not Connection.receive(self, READ_BYTES):
                    break

    def close(self) -> None:
        """Close the connection gracefully (FIN), whichever thread waits on it; may be called twice."""
        self._say_goodbye()
        shut_down(self.socket)
        self.socket.close()
        self._nowait_socket.close()

    def _say_goodbye(self) -> None:
        """Send what the protocol wants sent before a close: in plaintext nothing."""
