"""The chat on the hosts of a LAN: the real server and real clients, each a process on its own host.

``RemoteServer`` starts ``lab/server.py`` on a host and passes its console on line by line. ``RemoteClient`` has the face
of ``lab.chat.client.ChatClient``, so that the script player cannot tell them apart: the client itself runs on the host,
in a host agent. What it receives travels in the bytes of the wire and is read here by the same reader.

Everything ends with the LAN at the latest; ``leave`` and ``stop`` end it gracefully.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.chat.client import ChatClient, ChatError, Login
from lab.chat.connection import ConnectionLost
from lab.chat.events import Event, Lost
from lab.chat.report_wire import ReportWire, read_replies
from lab.chat.server import ServerError
from lab.net.host_agent import ANSWER_S, HostAgent
from lab.net.lan import Host

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10
POLL_S = 0.005  # how often the kernel's table of sockets is read; nothing notifies of a change in it


class RemoteServer:
    """A server on a host, listening on every interface of it. ``console`` gets each line that it prints.

    ``program`` is its path in the kit, of the report's server in its present form or of one of ``lab/stages``.
    """

    def __init__(self, host: Host, port: int, console: Callable[[str], None], program: str = "lab/server.py"):
        self.host, self.port, self._console = host, port, console
        self._command = [sys.executable, str(ROOT / program), "--host", "0.0.0.0", "--port", str(port)]

    def start(self) -> "RemoteServer":
        """Return when it listens. Raises ServerError."""
        self.process = self.host.popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the caller
        )
        assert self.process.stdout and self.process.stderr
        self._output, self._errors = self.process.stdout, self.process.stderr
        for line in self._output:
            self._console(line.rstrip("\n"))
            if line.startswith("Listening on "):
                break
        else:
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

    def _read(self) -> None:
        for line in self._output:
            self._console(line.rstrip("\n"))

    def __enter__(self) -> "RemoteServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class RemoteClient:
    """A ``ChatClient`` on a host. Its methods raise what those of ``ChatClient`` raise, or HostAgentError."""

    def __init__(self, host: Host, name: str, server: str, port: int, source_port: int = 0):
        self.name = name
        self.connection: SimpleNamespace | None = None
        errors = [ChatError, ConnectionLost]
        target = "lab.harness.remote_chat:ClientCommands"
        self._agent = HostAgent(host.popen, target, f"the client of {name}", errors)
        self._login: dict[str, Any] = {"name": name, "host": server, "port": port, "source_port": source_port}
        self.process = self._agent.process
        self.events = _Events(self._agent)

    def connect(self) -> "RemoteClient":
        local = self._agent.call("connect", **self._login)
        self.connection = SimpleNamespace(local=tuple(local), tls_version=None, cipher=None)
        return self

    def announce(self) -> None:
        self._agent.call("do", action="announce")

    def ask_users(self) -> None:
        self._agent.call("do", action="ask_users")

    def say(self, text: str) -> None:
        self._agent.call("do", action="say", texts=[text])

    def say_to(self, name: str, text: str) -> None:
        self._agent.call("do", action="say_to", texts=[name, text])

    def leave(self) -> None:
        """Leave and end the process; may be called twice, and never raises."""
        if self.process.poll() is not None:
            return
        try:
            if self.connection is None:
                self.process.kill()  # it may wait for a server that does not answer
            else:
                self._agent.call("do", action="leave")
        except OSError:
            pass  # it has gone already
        self._agent.close()


class _Events:
    """The queue of what a remote client receives: only its ``get``."""

    def __init__(self, agent: HostAgent):
        self._agent = agent

    def get(self, timeout: float) -> Event:
        received = self._agent.call("receive", timeout + ANSWER_S, wait_s=timeout)
        if received is None:
            raise queue.Empty
        if "lost" in received:
            return Lost(received["lost"])
        (event,) = read_replies(bytes.fromhex(received["reply"]))
        return event


def wait_until_acknowledged(chat: "list[RemoteServer | RemoteClient]") -> None:
    """Wait until every byte that these have sent is acknowledged, so that the ACK is a segment of its own.

    Raises ConnectionLost where that takes too long.
    """
    deadline = time.monotonic() + ANSWER_S
    while any(map(_unacknowledged, chat)):
        if time.monotonic() > deadline:
            raise ConnectionLost("what was sent is not being acknowledged")
        time.sleep(POLL_S)


def _unacknowledged(one: "RemoteServer | RemoteClient") -> bool:
    """Whether a TCP socket of its host has bytes on the way (proc(5): tx_queue in /proc/net/tcp)."""
    try:
        table = Path(f"/proc/{one.process.pid}/net/tcp").read_text()
    except OSError:
        return False  # it has ended
    sockets = [line.split() for line in table.splitlines()[1:]]
    return any(int(fields[4].split(":")[0], 16) for fields in sockets if fields[3] == "01")


# On the host


class ClientCommands:
    """Carries out the calls of a RemoteClient."""

    client: ChatClient

    def connect(self, **login: Any) -> object:
        self.client = ChatClient(Login(**login)).connect()
        return self.client.connection and self.client.connection.local

    def do(self, action: str, texts: tuple[str, ...] = ()) -> None:
        getattr(self.client, action)(*texts)

    def receive(self, wait_s: float) -> dict[str, str | None] | None:
        try:
            event = self.client.events.get(timeout=wait_s)
        except queue.Empty:
            return None
        return (
            {"lost": event.reason} if isinstance(event, Lost) else {"reply": ReportWire.encode(event).hex()}
        )
