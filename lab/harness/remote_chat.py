"""The chat on the hosts of a LAN: the real server, and real clients.

``remote_server`` starts ``lab/server.py`` on a host and passes its console on line by line. A client is
``lab.chat.client.ChatClient`` itself, which runs here: ``dial_from`` has it connect with a socket that was made on a
host, and a socket stays in its network namespace, whichever process uses it.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lab.chat.client import ChatClient
from lab.chat.connection import Dial
from lab.chat.listener import ServerError
from lab.harness.tap import RecordingError
from lab.net.lan import Host
from lab.net.namespace import Program, end
from lab.setup.paths import ROOT

START_S, STOP_S = 30, 10
STEP_S = 10  # until a line must have been printed, or a step be over
ACKNOWLEDGE_S = 20  # until what was sent must be acknowledged
POLL_S = 0.005
Console = Callable[[str], None]  # takes each line that a server prints


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


@contextmanager
def remote_server(
    host: Host, port: int, console: Console, program: str = "lab/server.py", options: Iterable[str] = ()
) -> Iterator[Program]:
    """Run a server on a host, listening on every interface of it; yield its process. ``console`` gets its lines.

    ``program`` is its path in the kit, of the report's server in its present form or of one of ``lab/stages``;
    ``options`` are added to its command line. Raises ServerError where it does not listen.
    """
    command = [sys.executable, str(ROOT / program), "--host", "0.0.0.0", "--port", str(port), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # In a session of its own, because Ctrl-C is for the caller.
    with host.popen(command, **pipes, text=True, start_new_session=True) as process:
        assert process.stdout and process.stderr
        reader = threading.Thread(target=_read, args=[process.stdout, console], daemon=True)
        overdue = threading.Timer(START_S, process.kill)
        overdue.daemon = True
        overdue.start()
        try:
            if not _read(process.stdout, console, "Listening on "):
                silence = f"the server neither listened within {START_S} s nor said why"
                raise ServerError(process.stderr.read().strip() or silence)
            overdue.cancel()
            reader.start()
            yield process
        finally:
            overdue.cancel()
            end(process, STOP_S, signal.SIGINT)
            if reader.ident:
                reader.join(STOP_S)


def _read(output: IO[str], console: Console, until: str = "") -> bool:
    """Pass the console on, up to a line that begins with ``until``; return whether there was one."""
    for line in output:
        console(line.rstrip("\n"))
        if until and line.startswith(until):
            return True
    return False


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


def wait_until(is_over: Callable[[], bool], within_s: float, reason: str) -> None:
    """Wait for a change in the kernel, which notifies nobody of it. Raises RecordingError after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not is_over():
        if time.monotonic() > deadline:
            raise RecordingError(reason)
        time.sleep(POLL_S)


def wait_until_acknowledged(server: Program, clients: Iterable[ChatClient]) -> None:
    """Wait until every byte that these have sent is acknowledged, so that the ACK is a segment of its own."""

    def is_over() -> bool:
        return not (_has_unacknowledged(server) or any(map(_is_unacknowledged, clients)))

    wait_until(is_over, ACKNOWLEDGE_S, "what was sent is not being acknowledged")


def _has_unacknowledged(server: Program) -> bool:
    """Return whether a TCP socket of its host has bytes on the way (proc(5): tx_queue in /proc/net/tcp)."""
    try:
        table = Path(f"/proc/{server.pid}/net/tcp").read_text()
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
