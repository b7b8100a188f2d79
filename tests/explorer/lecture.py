"""A lecture for the tests: ``lab live`` as a process of its own, and its WebSocket without a browser.

As a program it holds one where no LAN can be made: ``python -m tests.explorer.lecture OUT`` in a new namespace.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import websocket

from tests.support import ROOT

BOUND_S = 60
LIVE = [sys.executable, str(ROOT / "lab"), "live"]


class Lecture:
    """A running ``lab live``; ``address`` is that of its page."""

    def __init__(self, out: Path, *arguments: str, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.out, self.capture = out, out / "live.pcapng"
        self.process = subprocess.Popen([*LIVE, "--out", str(out), *arguments], **pipes, **options)
        self.address = next((line.strip() for line in self.process.stdout if line.startswith("http")), "")

    @property
    def origin(self) -> str:
        return re.match(r"http://127\.0\.0\.1:\d+", self.address)[0]

    def end(self, how: int = signal.SIGINT) -> tuple[str, str]:
        """End it by a signal; return what it has printed since, and its errors."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.communicate(timeout=BOUND_S)

    def open_socket(self, origin: str | None = None) -> websocket.WebSocket:
        url = self.address.replace("http:", "ws:") + "socket"
        return websocket.create_connection(url, timeout=BOUND_S, origin=origin or self.origin)


@contextlib.contextmanager
def lecture(out: Path, *arguments: str, **options) -> Iterator[Lecture]:
    running = Lecture(out, *arguments, **options)
    try:
        assert running.address, running.process.stderr.read()
        yield running
    finally:
        running.end()


def ask(socket: websocket.WebSocket, do: str, **more) -> None:
    socket.send(json.dumps({"do": do, **more}))


def news(socket: websocket.WebSocket) -> Iterator[dict]:
    """Yield what the lecture sends, until it closes."""
    while data := socket.recv():
        yield json.loads(data)


def on_loopback(out: Path) -> None:
    """Hold a lecture where namespaces are used up; print its first row with "hello", and how it ends."""
    Path("/proc/sys/user/max_net_namespaces").write_text("0")
    with lecture(out) as running:
        socket = running.open_socket()
        ask(socket, "say", who="Brandon", text="hello")
        rows = (row for one in news(socket) for row in one.get("frames", []))
        print(json.dumps(next(row for row in rows if row["info"] == "hello")))
        state = next(one["state"] for one in news(running.open_socket()) if "state" in one)
        print(state["reasons"]["weather"])
        print(running.end()[0])


if __name__ == "__main__":
    on_loopback(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
