"""A bare TCP socket on a host of a LAN, moved by hand: connect, say, hear, fall silent.

The chat's own client is polite: it waits, sets TCP_NODELAY, always reads. A scenario sometimes needs a peer without
these manners, and needs to know at every moment what it does. ``BareSocket`` has a host agent carry out its calls on the
host; so a scenario reads like what happens, one line after the other, without threads or guesses about time.

    with BareSocket(lan["PC1"]) as brandon:
        brandon.connect("10.27.27.131", 9898)
        brandon.say(b"hello", b"bye")          # two sends, one right after the other
        brandon.hear(until=b"bye")

A socket holds one connection and reads only when it is asked to.
"""

import socket
import threading
import time
from pathlib import Path
from typing import Any

from lab.harness.tap import RecordingError
from lab.net.host_agent import ANSWER_S, HostAgent, HostAgentError
from lab.net.lan import Host

WAIT_S = 20  # until something must have been heard, accepted or probed
POLL_S = 0.01  # how often the kernel's table of sockets is read; nothing notifies of a change in it


class BareSocketError(RecordingError):
    """A bare socket cannot do what it was asked; one line that says why."""


class BareSocket:
    """A socket on ``host``. Every method returns when it is done there; it raises BareSocketError where it fails."""

    def __init__(self, host: Host):
        self.host = host
        self._agent = HostAgent(
            host.popen, "lab.harness.bare_socket:SocketCommands", f"the program on {host.name}"
        )

    def __enter__(self) -> "BareSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def listen(self, port: int) -> None:
        """Be a server: from now on one client can connect."""
        self._do("listen", port=port)

    def accept(self) -> None:
        """Take the client that has connected, or wait for it."""
        self._do("accept")

    def connect(
        self,
        address: str,
        port: int,
        *,
        no_delay: bool = False,
        receive_buffer: int = 0,
        source_port: int = 0,
    ) -> None:
        """Be a client. ``no_delay`` switches Nagle's algorithm off; ``receive_buffer`` in bytes and ``source_port`` are
        the system's own where they are 0.
        """
        options = {"no_delay": no_delay, "receive_buffer": receive_buffer, "source_port": source_port}
        self._do("connect", address=address, port=port, **options)

    def say(self, *pieces: bytes, wait: bool = True) -> None:
        """One ``send`` for each piece, right after one another. With ``wait=False`` a thread does it."""
        self._do("say", pieces=[piece.hex() for piece in pieces], wait=wait)

    def hear(self, until: bytes, wait_s: float = WAIT_S) -> bytes:
        """Read until these bytes have come, since the last time; return all that was read."""
        return bytes.fromhex(self._do("hear", until=until.hex(), wait_s=wait_s))

    def hear_to_the_end(self) -> bytes:
        """Read until the other side has closed."""
        return self.hear(b"")

    def probe(self, times: int) -> None:
        """Wait until this host's kernel has probed a closed window so often (the cable must be slow enough to see it)."""
        self._do("probe", times=times)

    def leave(self) -> None:
        """Close the connection gracefully (FIN)."""
        self._do("leave")

    def close(self) -> None:
        """End the program and, with it, the connection. May be called twice."""
        self._agent.close()

    def _do(self, action: str, **arguments: Any) -> Any:
        try:
            return self._agent.call(action, WAIT_S + ANSWER_S, **arguments)
        except HostAgentError as error:
            raise BareSocketError(f"{self.host.name} cannot {action}: {error}") from None


# On the host


class SocketCommands:
    """Carries out the calls; one method each."""

    listener: socket.socket
    socket: socket.socket

    def __init__(self) -> None:
        self._talking: list[threading.Thread] = []

    def listen(self, port: int) -> None:
        self.listener = socket.create_server(("", port))
        self.listener.settimeout(WAIT_S)

    def accept(self) -> None:
        self.socket, _ = self.listener.accept()

    def connect(self, address: str, port: int, no_delay: bool, receive_buffer: int, source_port: int) -> None:
        self.socket = socket.socket()
        self.socket.bind(("", source_port))
        if receive_buffer:  # before the connection is made: the SYN already announces the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)

    def say(self, pieces: list[str], wait: bool) -> None:
        thread = threading.Thread(target=self._say, args=[[bytes.fromhex(piece) for piece in pieces]])
        thread.start()
        self._talking.append(thread)
        if wait:
            thread.join()

    def _say(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def hear(self, until: str, wait_s: float) -> str:
        wanted, heard, deadline = bytes.fromhex(until), b"", time.monotonic() + wait_s
        while not wanted or wanted not in heard:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                piece = self.socket.recv(65_536)
            except TimeoutError:
                raise OSError(f"it has heard {heard[-60:]!r}, and not {wanted!r}") from None
            finally:
                self.socket.settimeout(None)
            if not piece:
                if wanted:
                    raise OSError(f"the other side has closed, and never said {wanted!r}")
                break
            heard += piece
        return heard.hex()

    def probe(self, times: int) -> None:
        deadline, seen, was_probing = time.monotonic() + WAIT_S, 0, False
        while seen < times:
            if time.monotonic() > deadline:
                raise OSError("no closed window is being probed")
            time.sleep(POLL_S)
            is_probing = _is_probing()
            if is_probing and not was_probing:
                seen += 1
            was_probing = is_probing

    def leave(self) -> None:
        for thread in self._talking:
            thread.join()
        self.socket.close()


def _is_probing() -> bool:
    """Whether a probe of a closed window waits for its answer (proc(5), /proc/net/tcp: timer 4, retries, probes)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        state, timer, retries, probes = (line.split()[n] for n in (3, 5, 6, 8))
        if state == "01" and timer.startswith("04"):
            return int(retries, 16) + int(probes) > 0
    return False
