"""A bare TCP socket on a host of a LAN, moved by hand: connect, say, hear, fall silent.

The chat's own client is polite: it waits, sets TCP_NODELAY, always reads. A scenario sometimes needs a peer without
these manners. It then reads like what happens, one line after the other, without threads or guesses about time:

    with BareSocket(lan["PC1"]) as brandon:
        brandon.connect("10.27.27.131")
        brandon.say(b"hello", b"bye")          # two sends, one right after the other
        brandon.hear(until=b"bye")

It holds one connection, to or from the report's port, and reads only when it is asked to.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.harness.tap import RecordingError
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host

WAIT_S = 20  # until something must have been heard, accepted or probed
POLL_S = 0.01  # how often the kernel's state of a socket is read; nothing notifies of a change in it

ESTABLISHED, SYN_SENT = 1, 2  # states (linux, net/tcp_states.h)


class BareSocketError(RecordingError):
    """A bare socket cannot do what it was asked; one line that says why."""


class BareSocket:
    """A socket on ``host``. Every method returns when it is done; it raises BareSocketError where it fails."""

    def __init__(self, host: Host):
        self.host = host
        self._socket = self._listener = host.open_socket()
        self._talking: list[threading.Thread] = []

    def __enter__(self) -> "BareSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def listen(self) -> None:
        """Be a server: from now on one client can connect."""
        with self._trying_to("listen"):
            self._listener = self.host.listen(REPORT_PORT)

    def accept(self) -> None:
        """Take the client that has connected, or wait for it."""
        with self._trying_to("accept"):
            self._socket, _ = self._listener.accept()
            self._socket.settimeout(WAIT_S)

    def switch_nagle_off(self) -> None:
        """Send each piece at once, even while an earlier one is not acknowledged (RFC 896)."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def connect(
        self, address: str, no_delay: bool = False, receive_buffer: int = 0, source_port: int = 0
    ) -> None:
        """Be a client. ``no_delay`` switches Nagle's algorithm off; ``receive_buffer`` in bytes and ``source_port`` are
        the system's own where they are 0.
        """
        with self._trying_to("connect"):
            if self._socket.fileno() < 0:  # it has had a connection, or was refused one
                self._socket = self.host.open_socket()
            self._socket.bind(("", source_port))
            if receive_buffer:  # before the connection is made: the SYN already announces the window
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._socket.settimeout(WAIT_S)
            try:
                self._socket.connect((address, REPORT_PORT))
            except OSError:
                self._socket.close()
                raise
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)

    def say(self, *pieces: bytes, to: "BareSocket | None" = None, wait: bool = True) -> None:
        """One ``send`` for each piece, right after one another; return when ``to`` has heard the last.

        With ``wait=False`` a thread does it.
        """
        if not wait:
            self._talking.append(threading.Thread(target=self.say, args=pieces, daemon=True))
            self._talking[-1].start()
            return
        with self._trying_to("say"):
            for piece in pieces:
                self._socket.sendall(piece)
        if to:
            to.hear(until=pieces[-1])

    def hear(self, until: bytes, wait_s: float = WAIT_S) -> bytes:
        """Read until these bytes have come, since the last time; return all that was read."""
        heard, deadline = b"", time.monotonic() + wait_s
        with self._trying_to("hear"):
            while not until or until not in heard:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    piece = self._socket.recv(65_536)
                except TimeoutError:
                    raise OSError(f"it has heard {heard[-60:]!r}, and not {until!r}") from None
                finally:
                    self._socket.settimeout(WAIT_S)
                if not piece:
                    if until:
                        raise OSError(f"the other side has closed, and never said {until!r}")
                    break
                heard += piece
        return heard

    def hear_to_the_end(self) -> bytes:
        """Read until the other side has closed."""
        return self.hear(b"")

    def has_sent_syn(self) -> bool:
        """Return whether it is connecting or connected."""
        return self._information()[0] in (ESTABLISHED, SYN_SENT)  # tcpi_state

    def probe(self, times: int) -> None:
        """Wait until this host's kernel has probed a closed window so often (the cable must be slow enough to see it)."""
        deadline, seen, was_probing = time.monotonic() + WAIT_S, 0, False
        with self._trying_to("probe"):
            while seen < times:
                if time.monotonic() > deadline:
                    raise OSError("no closed window is being probed")
                time.sleep(POLL_S)
                is_probing = self._information()[3] > 0  # tcpi_probes: those without an answer yet
                seen += is_probing and not was_probing
                was_probing = is_probing

    def half_close(self) -> None:
        """Say that nothing more will be said (FIN), and go on hearing."""
        self._socket.shutdown(socket.SHUT_WR)

    def leave(self, wait: bool = False) -> None:
        """Close the connection gracefully (FIN); with ``wait`` until the FIN has been acknowledged."""
        for thread in self._talking:
            thread.join()
        if wait:  # on Linux close() then waits for that (socket(7), SO_LINGER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, WAIT_S))
        self._socket.close()

    def vanish(self) -> None:
        """Close without a farewell: a RST for what is still on its way (socket(7), SO_LINGER of 0 s)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Close everything. May be called twice."""
        self._socket.close()
        self._listener.close()

    def _information(self) -> bytes:
        """Return the beginning of what the kernel knows of the socket (linux/tcp.h, struct tcp_info)."""
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)

    @contextmanager
    def _trying_to(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BareSocketError(f"{self.host.name} cannot {action}: {error.strerror or error}") from None
