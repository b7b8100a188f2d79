"""Shared by the tests of the stages: one in this process, or one in a process of its own."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tests.support import ROOT

BOUND_S = 20
REPORT_WIRE = ("report", "nodelay", "backlog")
JSON_WIRE = ("framed", "broadcaster")
STAGES = REPORT_WIRE + JSON_WIRE


@contextlib.contextmanager
def serving(stage: ModuleType, send_buffer: int = 0) -> Iterator:
    """Run the server of a stage in threads of this process. At the end all its connections are cut.

    ``send_buffer`` (bytes) is what the kernel takes for each client, which Linux doubles.
    """
    server = stage.Server()
    if send_buffer:  # accepted sockets inherit it
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            server.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        for sock in (server.listener, *(server.unsent if hasattr(server, "unsent") else server.clients)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        thread.join(BOUND_S)
        server.listener.close()


class Running:
    """A stage's program: ``port``, ``console`` (its lines until now), and what a signal does to it."""

    def __init__(self, stage: str, *arguments: str):
        command = [sys.executable, str(ROOT / "lab" / "stages" / f"{stage}.py"), "--port", "0", *arguments]
        self.process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.console: list[str] = []
        self.port = int(re.search(r" port (\d+);", self.until("Listening on "))[1])

    def until(self, fragment: str) -> str:
        """Read the console to the first line with this in it, and return that."""
        for line in self.process.stdout:
            self.console.append(line.rstrip("\n"))
            if fragment in line:
                return self.console[-1]
        raise AssertionError(f"{fragment!r} never came; what did: {self.console}")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the program do nothing meanwhile, as on a busy machine; its kernel goes on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: " T " in Path(f"/proc/{self.process.pid}/stat").read_text())
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def wait_until(condition) -> None:
    """Return when this is true of a server's own state, of which nothing is sent."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.005)
