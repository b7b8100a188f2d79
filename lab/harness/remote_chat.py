"""The chat on the hosts of a LAN: the real server and real clients, each a process on its own host.

``RemoteServer`` starts ``lab/server.py`` on a host and passes its console on line by line. ``RemoteClient`` has the
face of ``lab.chat.client.ChatClient``, so that the script player cannot tell them apart: the client itself runs on the
host, in a process of this module (``python -m lab.harness.remote_chat``), which does one JSON command a line and prints what
the client receives. Replies travel between the two in the bytes of the wire and are read here by the same reader.

Everything ends with the LAN at the latest; ``leave`` and ``stop`` end it in order.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from lab.chat.client import ChatClient, ChatError, Login
from lab.chat.connection import ConnectionLost
from lab.chat.events import Lost
from lab.chat.report_wire import ReportWire, read_replies
from lab.chat.server import ServerError
from lab.net.lan import Host

ROOT = Path(__file__).resolve().parents[2]
ANSWER_S = 20  # until a command to a client must have been carried out
STOP_S = 10
POLL_S = 0.005  # how often the kernel's table of sockets is looked at; nothing tells of a change in it


class RemoteServer:
    """The report's server on a host, listening on every interface of it. ``console`` gets each line it prints."""

    def __init__(self, host: Host, port: int, console: Callable[[str], None]):
        self.host, self.port, self._console = host, port, console

    def start(self) -> "RemoteServer":
        """Returns when it listens; raises ServerError."""
        command = [
            sys.executable,
            str(ROOT / "lab" / "server.py"),
            "--host",
            "0.0.0.0",
            "--port",
            str(self.port),
        ]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = self.host.popen(
            command, **pipes, start_new_session=True
        )  # Ctrl-C is for who started it
        for line in self.process.stdout:
            self._console(line.rstrip("\n"))
            if line.startswith("Listening on "):
                break
        else:
            raise ServerError(self.process.stderr.read().strip() or "the server ended without a word")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def stop(self) -> None:
        """Ctrl-C, and wait for its end. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._console(line.rstrip("\n"))

    def __enter__(self) -> "RemoteServer":
        return self.start()

    def __exit__(self, *_):
        self.stop()


class RemoteClient:
    """A ``ChatClient`` on a host: ``events``, ``connect``, ``announce``, ``ask_users``, ``say``, ``leave`` as there."""

    def __init__(self, host: Host, name: str, server: str, port: int, source_port: int = 0):
        self.name = name
        self.events: queue.SimpleQueue = queue.SimpleQueue()
        self.connection: SimpleNamespace | None = None
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        command = [sys.executable, "-m", "lab.harness.remote_chat", name, server, str(port), str(source_port)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = host.popen(command, **pipes, cwd=ROOT, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def connect(self) -> "RemoteClient":
        """Raises ChatError as the client itself does."""
        local = self._do("connect")["local"]
        self.connection = SimpleNamespace(local=tuple(local), tls_version=None, cipher=None)
        return self

    def announce(self) -> None:
        self._do("announce")

    def ask_users(self) -> None:
        self._do("ask_users")

    def say(self, text: str) -> None:
        """Raises ConnectionLost."""
        self._do("say", text)

    def leave(self) -> None:
        """Leave in order and end the process; may be called twice, and never raises."""
        if self.process.stdin.closed:
            return
        try:
            if self.connection is None:
                self.process.kill()  # it may wait for a server that does not answer
            else:
                self._do("leave")
        except (ChatError, ConnectionLost):
            pass  # it has gone already
        self.process.stdin.close()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()

    def _do(self, action: str, *arguments: str) -> dict:
        try:
            self.process.stdin.write(json.dumps([action, *arguments]) + "\n")
            self.process.stdin.flush()
            answer = self._answers.get(timeout=ANSWER_S)
        except (OSError, queue.Empty):
            raise ConnectionLost(f"the client of {self.name} does not answer") from None
        if "chat_error" in answer:
            raise ChatError(answer["chat_error"])
        if "lost" in answer:
            raise ConnectionLost(answer["lost"])
        return answer

    def _read(self) -> None:
        for line in self.process.stdout:
            told = json.loads(line)
            if "reply" in told:
                for reply in read_replies(bytes.fromhex(told["reply"])):
                    self.events.put(reply)
            elif "ended" in told:
                self.events.put(Lost(told["ended"]))
            else:
                self._answers.put(told)


def wait_until_acknowledged(chat: "list[RemoteServer | RemoteClient]") -> None:
    """Until every byte that these have sent has been acknowledged, so that the ACK is in the recording by itself.

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
    return any(
        int(line.split()[4].split(":")[0], 16) for line in table.splitlines()[1:] if line.split()[3] == "01"
    )


# The process on the host


def main(arguments: list[str]) -> int:
    name, server, port, source_port = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the room's business, which then has us leave
    client = ChatClient(Login(name, server, int(port), source_port=int(source_port)))
    tell = _Teller()
    threading.Thread(target=_pass_on, args=[client, tell], daemon=True).start()
    for line in sys.stdin:
        action, *texts = json.loads(line)
        try:
            getattr(client, action)(*texts)
            tell(local=client.connection.local if client.connection else None)
        except ConnectionLost as error:
            tell(lost=str(error))
        except ChatError as error:
            tell(chat_error=str(error))
    client.leave()
    return 0


class _Teller:
    """Prints one JSON object a line, whole lines whichever thread it is."""

    def __init__(self):
        self._lock = threading.Lock()

    def __call__(self, **told) -> None:
        with self._lock:
            print(json.dumps(told), flush=True)


def _pass_on(client: ChatClient, tell: _Teller) -> None:
    while not isinstance(event := client.events.get(), Lost):
        tell(reply=ReportWire.encode(event).hex())
    tell(ended=event.reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
