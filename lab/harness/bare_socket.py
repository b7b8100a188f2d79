"""A bare TCP socket on a host of a LAN, moved by hand: connect, send, hear, fall silent.

The chat's own client is polite: it waits, sets TCP_NODELAY, always reads. A lesson sometimes needs a peer without these
manners, and needs to know at every moment what it does. ``BareSocket`` starts this module as a program on the host
(``python -m lab.harness.bare_socket``), which carries out one JSON command a line and answers each; so a lesson reads like what
happens, one line after the other, with no thread and no guess about time in it.

    with BareSocket(lan["PC1"]) as brandon:
        brandon.connect("10.27.27.131", 9898)
        brandon.say(b"hello", b"bye")          # two sends, one right after the other
        brandon.hear(until=b"bye")

A puppet holds one connection. It reads nothing that it is not told to read.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from lab.net.lan import Host

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20  # until something must have been heard, accepted or probed
POLL_S = 0.01  # how often the kernel's table of sockets is looked at; nothing tells of a change in it


class BareSocketError(OSError):
    """What was asked of a puppet cannot be done; one line that says why."""


class BareSocket:
    """A socket on HOST. Every method returns when it is done there, and raises BareSocketError where it cannot be."""

    def __init__(self, host: Host):
        self.host = host
        self._process = host.popen(
            [sys.executable, "-m", "lab.harness.bare_socket"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> "BareSocket":
        return self

    def __exit__(self, *_) -> None:
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
        """Be a client. ``no_delay`` switches Nagle's algorithm off; ``receive_buffer`` in bytes and ``source_port``
        are the system's own where they are 0.
        """
        how = {"no_delay": no_delay, "receive_buffer": receive_buffer, "source_port": source_port}
        self._do("connect", address=address, port=port, **how)

    def say(self, *pieces: bytes, wait: bool = True) -> None:
        """One ``send`` for each piece, right after one another. ``wait=False`` lets a thread of its own do it."""
        self._do("say", pieces=[piece.hex() for piece in pieces], wait=wait)

    def hear(self, until: bytes, patience_s: float = PATIENCE_S) -> bytes:
        """Read until these bytes have come, since the last time; gives all that was read. Raises BareSocketError."""
        return bytes.fromhex(self._do("hear", until=until.hex(), patience_s=patience_s))

    def hear_to_the_end(self) -> bytes:
        """Read until the other side has closed."""
        return bytes.fromhex(self._do("hear", until="", patience_s=PATIENCE_S))

    def probe(self, times: int) -> None:
        """Wait until this host's kernel has probed a closed window so many times (over a cable slow enough to see it)."""
        self._do("probe", times=times)

    def leave(self) -> None:
        """Close the connection in order (FIN)."""
        self._do("leave")

    def close(self) -> None:
        """End the program and, with it, the connection. May be called twice."""
        if not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended already, and what it was told last went nowhere
                self._process.stdin.close()
            self._process.wait(PATIENCE_S)
            self._process.stdout.close()

    def _do(self, action: str, **how):
        try:
            self._process.stdin.write(json.dumps([action, how]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "the program has ended"}')
        except OSError as error:
            answer = {"error": error.strerror or str(error)}
        if "error" in answer:
            raise BareSocketError(f"{self.host.name} cannot {action}: {answer['error']}")
        return answer["done"]


# The program on the host


class _Player:
    """Carries out the commands; one method each."""

    def __init__(self):
        self.listener = self.socket = None
        self.talking: list[threading.Thread] = []

    def listen(self, port: int) -> None:
        self.listener = socket.create_server(("", port))
        self.listener.settimeout(PATIENCE_S)

    def accept(self) -> None:
        self.socket, _ = self.listener.accept()

    def connect(self, address: str, port: int, no_delay: bool, receive_buffer: int, source_port: int) -> None:
        self.socket = socket.socket()
        self.socket.bind(("", source_port))
        if receive_buffer:  # before the connection is made: the SYN already speaks of the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)

    def say(self, pieces: list[str], wait: bool) -> None:
        thread = threading.Thread(target=self._say, args=[[bytes.fromhex(piece) for piece in pieces]])
        thread.start()
        self.talking.append(thread)
        if wait:
            thread.join()

    def _say(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def hear(self, until: str, patience_s: float) -> str:
        wanted, heard, deadline = bytes.fromhex(until), b"", time.monotonic() + patience_s
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
        deadline, waiting = time.monotonic() + PATIENCE_S, False
        while times:
            if time.monotonic() > deadline:
                raise OSError("no closed window is being probed")
            time.sleep(POLL_S)
            before, waiting = waiting, _is_probing()
            times -= waiting and not before

    def leave(self) -> None:
        for thread in self.talking:
            thread.join()
        self.socket.close()


def _is_probing() -> bool:
    """Whether a probe of a closed window waits for its answer (proc(5), /proc/net/tcp: timer 4, retries, probes)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        state, timer, retries, probes = (line.split()[n] for n in (3, 5, 6, 8))
        if state == "01" and timer.startswith("04"):
            return int(retries, 16) + int(probes) > 0
    return False


def main() -> int:
    player = _Player()
    for line in sys.stdin:
        action, how = json.loads(line)
        try:
            answer = {"done": getattr(player, action)(**how)}
        except OSError as error:
            answer = {"error": error.strerror or str(error)}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
