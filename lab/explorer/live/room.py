"""The room of a lecture: a server and three real clients on real hosts, recorded, with its switches.

On the kit's LAN the recording is made at the server's card, which all three conversations pass; the *weather* is that of
the server's cable, so a copy that is lost there is recorded, and recorded again when it is repeated. Where no LAN can be
made, everything runs on the loopback, which has no cable. A switch of TLS, padding or server ends the three connections
and makes new ones: another *session*.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.chat.chat_log import ChatLog, Line
from lab.chat.client import ANSWER_S, ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Lost, Say
from lab.chat.login import Login
from lab.chat.tls import client_context
from lab.explorer.live.mallory import FORGED_TEXT, Mallory
from lab.harness import certificates
from lab.harness.attack_lan import MALLORY
from lab.harness.forged_frames import frames_in_anothers_name
from lab.harness.lan_tap import Recording
from lab.harness.manifest import Entry, sha256_of
from lab.harness.remote_chat import ConsoleLog, dial_from, remote_server
from lab.harness.scenarios.report import HOST_OF
from lab.harness.session import LOOPBACK
from lab.harness.tap import Tap, may_record, nowhere_to_record
from lab.harness.tls_contexts import CERTIFICATE_NAMES, SERVER_NAME
from lab.harness.variant import REPORT_PORT, USUAL_PAD, Variant
from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN
from lab.stages.compare import STAGES

MODES = {
    "plaintext": Variant(),
    "TLS 1.2": Variant("1.2"),
    "TLS 1.3": Variant("1.3"),
    "TLS 1.3, padded": Variant("1.3", "json", USUAL_PAD),
}
KITS_SERVER = "lab/server.py"
SERVERS = (KITS_SERVER, *(f"lab/stages/{stage}.py" for stage in STAGES))
JSON_STAGES = ("lab/stages/framed.py", "lab/stages/broadcaster.py")
# Small buffers, so that the window of a reader who stops closes after some lines, and not after some megabytes.
RECEIVE_BUFFER = 1024  # bytes, Alice's; her window is about half of it
SMALL_BUFFERS = {
    "laptop": {"net.ipv4.tcp_rmem": f"{RECEIVE_BUFFER} {RECEIVE_BUFFER} {RECEIVE_BUFFER}"},
    "server": {"net.ipv4.tcp_wmem": "4096 8192 8192"},
}
RESET = "The server took Mallory's RST for Brandon's. His client learns of it when his next line is lost"
NOT_CONNECTED = "*** Not connected; lines are lost. Press plaintext or TLS to connect everybody again ***"
COMMENT = "A lecture of the lab kit: python3 lab live."

Notice = Callable[[str, Line], None]  # takes, in any thread, a user's name and a line for that user's window


class LoopbackProgram(subprocess.Popen[Any]):
    """A program on the machine itself. Windows cannot send Ctrl-C to one process alone, so there it is ended."""

    def send_signal(self, sig: int) -> None:
        super().send_signal(signal.SIGTERM if sys.platform == "win32" else sig)


class LoopbackHost:
    """The machine itself, in the place of a host of the LAN."""

    address = LOOPBACK
    popen = LoopbackProgram


class LiveRoom:
    """The room, recorded into ``path``. Methods block; one thread at a time may call ``start``, ``switch``, ``end``."""

    def __init__(self, path: Path):
        self.path = path
        self.notice: Notice = lambda who, line: None
        self.lan: Lan | None = None
        self.mallory: Mallory | None = None  # on the loopback there is nobody else
        self.host: Any = LoopbackHost()
        self.alice_reads = threading.Event()
        self.mode, self.server = "plaintext", KITS_SERVER
        self.sessions: list[dict[str, Any]] = []
        self._lanes: dict[str, str] = {}
        self._clients: dict[str, ChatClient] = {}
        self._stack, self._session = ExitStack(), ExitStack()  # the room; server and clients

    def about(self) -> dict[str, Any]:
        """Return what does not change: where everybody is, and what can be switched to."""
        where = {
            who: f"{host}, {self.lan[host].address}" if self.lan else "" for who, host in HOST_OF.items()
        }
        return {"where": where, "modes": list(MODES), "servers": SERVERS}

    def start(self) -> None:
        """Begin to record; nobody is there yet. Raises RecordingRefused where this user may not record, LanError."""
        self.path.with_suffix(".keys").unlink(missing_ok=True)  # those of an earlier recording
        if obstacle := namespace.refusal():
            self._start_on_loopback(obstacle)
            return
        plans = [replace(plan, sysctl=plan.sysctl | SMALL_BUFFERS.get(plan.name, {})) for plan in REPORT_LAN]
        self.lan = self._stack.enter_context(Lan([*plans, MALLORY]))
        self._tap: Recording | Tap = Recording(self.lan, ["server"], self.path, comment=COMMENT)
        self._stack.enter_context(self._tap)
        self.host, self.port = self.lan["server"], REPORT_PORT
        self.mallory = self._stack.enter_context(Mallory(self.lan))
        for lane, name in {"server": "server", **HOST_OF}.items():
            one = self.lan[name]
            self._lanes |= dict.fromkeys((one.address, str(one.interfaces["eth0"])), lane)

    def _start_on_loopback(self, obstacle: str) -> None:
        if refused := may_record():
            raise nowhere_to_record(refused, obstacle)
        with socket.create_server((LOOPBACK, 0)) as free:
            self.port = free.getsockname()[1]
        self._tap = self._stack.enter_context(Tap(self.path, self.port, comment=COMMENT))
        self._lanes[f"{LOOPBACK}:{self.port}"] = "server"

    @property
    def frames(self) -> int:
        """How many frames the tap has recorded, once the room has ended."""
        return self._tap.frames if isinstance(self._tap, Tap) else sum(self._tap.frames.values())

    def lane_of(self, end: str) -> str:
        """Return whose machine an address is, with or without a port; "" where that is unknown."""
        return self._lanes.get(end) or self._lanes.get(end.rpartition(":")[0], "")

    def reasons(self) -> dict[str, str]:
        """Return why some switches cannot be used now: those of TLS, of the weather."""
        found = {}
        if self.server != KITS_SERVER:
            found["tls"] = "The stages speak plaintext only."
        if not self.lan:
            found["weather"] = "The loopback has no cable."
        return found

    def switch(self, mode: str, server: str) -> None:
        """End the connections and the server, if there are some, and make new ones. Raises OSError."""
        if MODES[mode].tls != "none" and server != KITS_SERVER:
            raise ValueError("the stages speak plaintext only")
        self._close_session()
        variant = MODES[mode] if server not in JSON_STAGES else Variant(wire="json")
        self.mode, self.server, log = mode, server, ConsoleLog()
        session = asdict(variant) | {"program": server, "users": [], "events": []}
        session |= {"started_ns": time.time_ns(), "server": {"address": self.host.address, "port": self.port}}
        self.sessions.append(session)
        login = self._start_server(variant, log)
        for name in HOST_OF:
            self._join(replace(login, name=name), log)

    def _start_server(self, variant: Variant, log: ConsoleLog) -> Login:
        """Start the server; return how to log in. Its key is on the disk only until the server has read it."""
        options, tls = [] if self.lan else ["--host", LOOPBACK], None
        with TemporaryDirectory(prefix="lab-keys-") as folder:
            if variant.tls != "none":
                made = certificates.issue(folder, CERTIFICATE_NAMES)
                options += ["--cert", str(made.certificate), "--key", str(made.key), "--tls-only"]
                options += ["--tls-version", variant.tls, "--pad", str(variant.pad_to)]
                tls = client_context(made.ca, variant.tls, self.path.with_suffix(".keys"))
            server = remote_server(self.host, self.port, log.console, self.server, options)
            self._session.enter_context(server)
        login = Login("", self.host.address, self.port, tls, variant.wire, pad_to=variant.pad_to)
        return replace(login, server_name=SERVER_NAME)

    def _join(self, login: Login, log: ConsoleLog) -> None:
        name = login.name

        def wait_while_silent(way: str, data: bytes) -> None:
            if way == "received" and name == "Alice":
                self.alice_reads.wait()

        client = ChatClient(replace(login, dial=self._dial_for(name), tap=wait_while_silent))
        self._note(name, "join")
        client.connect()
        self._clients[name] = client
        self._session.callback(self._leave, client)
        threading.Thread(target=self._listen, args=[client], daemon=True).start()
        log.wait_for(f"*** {name} Connected ")
        connection, session = client.connection, self.sessions[-1]
        assert connection is not None
        session |= {"tls_version": connection.tls_version, "cipher": connection.cipher}
        session["users"].append({"name": name, "address": connection.local[0], "port": connection.local[1]})
        if not client.wire.welcomes:
            for ask in (client.announce, client.ask_users):
                ask()
                client.answered.wait(ANSWER_S)

    def _dial_for(self, name: str) -> Callable[[tuple[str, int], float], socket.socket]:
        if self.lan:
            return dial_from(self.lan[HOST_OF[name]])

        def dial(address: tuple[str, int], within_s: float) -> socket.socket:
            sock = socket.socket()
            if name == "Alice":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind((LOOPBACK, 0))
            self._lanes[f"{LOOPBACK}:{sock.getsockname()[1]}"] = name  # before its SYN is recorded
            sock.settimeout(within_s)
            sock.connect(address)
            return sock

        return dial

    def _listen(self, client: ChatClient) -> None:
        box, event = ChatLog(client.name), None
        while not isinstance(event, Lost):
            event = client.events.get()
            if line := box.take(event):
                self.notice(client.login.name, line)
                if isinstance(event, Lost):
                    self._say_not_connected(client.login.name)

    def say(self, who: str, text: str) -> None:
        """Let a user say a line; wait while the server does not read."""
        try:
            self._note(who, "say", text)
            self._clients[who].say(text)
        except (KeyError, ConnectionLost):
            self._say_not_connected(who)

    def _say_not_connected(self, who: str) -> None:
        self.notice(who, Line("trouble", NOT_CONNECTED, time.time()))

    def attack(self, how: str) -> str:
        """Let Mallory end Brandon's connection, speak for him, or go into the middle, or out of it.

        Returns what the windows do not show of it.
        """
        client = self._clients.get("Brandon")
        if not self.mallory:
            return ""
        if how == "between":
            self.mallory.stand_between(not self.mallory.is_between)
        elif not client or not client.connection:
            self._say_not_connected("Brandon")
        elif how == "reset":
            self.mallory.reset(client.connection.local[1], self.port)
            return RESET
        else:
            line, over_tls = client.wire.encode(Say(FORGED_TEXT)), self.sessions[-1]["tls"] != "none"
            self.mallory.speak(client.connection.local[1], self.port, line, over_tls)
        return ""

    def _note(self, who: str, action: str, text: str = "") -> None:
        event = {"time_ns": time.time_ns(), "who": who, "action": action}
        self.sessions[-1]["events"].append(event | ({"text": text} if text else {}))

    def _close_session(self) -> None:
        self.alice_reads.set()
        self._session.close()

    def _leave(self, client: ChatClient) -> None:
        self._clients.pop(client.name, None)
        self._note(client.name, "leave")
        client.leave()

    def __enter__(self) -> "LiveRoom":
        try:
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the conversation, and then the recording; may be called twice.

        Raises RecordingError where frames are missing.
        """
        with self._stack.pop_all():
            if self.lan and self._clients:
                self.lan.condition("server")  # the last frames must not be lost
            self._close_session()

    def entry(self) -> Entry:
        """Return the manifest's entry; that of one session alone has the form of every other recording's."""
        about: Entry = {"file": self.path.name, "label": "live", "sha256": sha256_of(self.path)}
        about |= {"frames": self.frames, "interface": "server/eth0" if self.lan else "loopback"}
        if self.path.with_suffix(".keys").exists():
            about["key_log"] = self.path.with_suffix(".keys").name
        if self.mallory and self.mallory.has_acted:
            forger = self.mallory.card
            about |= {"forger": MALLORY.name, "forged": frames_in_anothers_name(self.path, *forger)}
        more = {"certificate_names": list(CERTIFICATE_NAMES), "server_name": SERVER_NAME}
        sessions = [one | (more if one["tls"] != "none" else {}) for one in self.sessions]
        return about | (sessions[0] if len(sessions) == 1 else {"sessions": sessions})
