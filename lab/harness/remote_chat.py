"""The chat on the hosts of a LAN: the real server, and real clients.

``RemoteServer`` starts ``lab/server.py`` on a host and passes its console on line by line. A client is
``lab.chat.client.ChatClient`` itself, which runs here: ``dial_from`` has it connect with a socket that was made on a
host, and a socket stays in its network namespace, whichever process uses it.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.chat.client import ChatClient
from lab.chat.connection import ConnectionLost, Dial
from lab.chat.server import ServerError
from lab.harness.tap import RecordingError
from lab.net.lan import Host

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10
STEP_S = 10  # until a line must have been printed, or a step be over
ACKNOWLEDGE_S = 20  # until what was sent must be acknowledged
POLL_S = 0.005  # how often the kernel's table of sockets is read; nothing notifies of a change in it


class ConsoleLog:
    """The lines that a server's console has printed, and a way for another thread to wait for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.lines: list[str] = []

    def console(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, start: str) -> None:
        """Wait until a line begins with ``start``. Raises RecordingError where none does in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(line.startswith(start) for line in self.lines), STEP_S):
                raise RecordingError(f"the server never printed {start!r}; it printed {self.lines}")


class RemoteServer:
    """A server on a host, listening on every interface of it. ``console`` gets each line that it prints.

    ``program`` is its path in the kit, of the report's server in its present form or of one of ``lab/stages``;
    ``options`` are added to its command line.
    """

    def __init__(
        self,
        host: Host,
        port: int,
        console: Callable[[str], None],
        program: str = "lab/server.py",
        options: Iterable[str] = (),
    ):
        self.host, self.port, self._console = host, port, console
        command = [sys.executable, str(ROOT / program), "--host", "0.0.0.0", "--port", str(port)]
        self._command = [*command, *options]

    def start(self) -> "RemoteServer":
        """Return when it listens. Raises ServerError."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # In a session of its own, because Ctrl-C is for the caller.
        self.process = self.host.popen(self._command, **pipes, text=True, start_new_session=True)
        assert self.process.stdout and self.process.stderr
        self._output, self._errors = self.process.stdout, self.process.stderr
        if not self._read("Listening on "):
            raise ServerError(self._errors.read().strip() or "the server ended without an error message")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def stop(self) -> None:
        """Send Ctrl-C and wait for the end. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._reader.join()
        self._output.close()
        self._errors.close()

    def _read(self, until: str | None = None) -> bool:
        """Pass the console on, up to a line that begins with ``until``; return whether there was one."""
        for line in self._output:
            self._console(line.rstrip("\n"))
            if until and line.startswith(until):
                return True
        return False

    def __enter__(self) -> "RemoteServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def dial_from(host: Host, source_port: int = 0) -> Dial:
    """Return a function that connects from a host, for ``Login.dial``; ``source_port`` 0 is any."""

    def dial(address: tuple[str, int], within_s: float) -> socket.socket:
        sock = host.open_socket()
        try:
            sock.bind(("", source_port))
            sock.settimeout(within_s)
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock

    return dial


def wait_until_acknowledged(server: RemoteServer, clients: Iterable[ChatClient]) -> None:
    """Wait until every byte that these have sent is acknowledged, so that the ACK is a segment of its own.

    Raises ConnectionLost where that takes too long.
    """
    deadline = time.monotonic() + ACKNOWLEDGE_S
    while _has_unacknowledged(server) or any(map(_is_unacknowledged, clients)):
        if time.monotonic() > deadline:
            raise ConnectionLost("what was sent is not being acknowledged")
        time.sleep(POLL_S)


def _has_unacknowledged(server: RemoteServer) -> bool:
    """Return whether a TCP socket of its host has bytes on the way (proc(5): tx_queue in /proc/net/tcp)."""
    try:
        table = Path(f"/proc/{server.process.pid}/net/tcp").read_text()
    except OSError:
        return False  # it has ended
    sockets = [line.split() for line in table.splitlines()[1:]]
    return any(int(fields[4].split(":")[0], 16) for fields in sockets if fields[3] == "01")


def _is_unacknowledged(client: ChatClient) -> bool:
    """Return whether its socket has bytes on the way (tcp(7): SIOCOUTQ)."""
    import fcntl  # not on Windows, which has no LAN either
    import termios

    if client.connection is None or client.connection.socket.fileno() < 0:
        return False  # it has left
    return any(fcntl.ioctl(client.connection.socket, termios.TIOCOUTQ, bytes(4)))
