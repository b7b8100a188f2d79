"""Play a script through the real server and real clients, record it, and write down the truth beside it.

    server listens -> tap records -> clients join, speak, leave -> server stops -> tap stops -> manifest.json

The player waits for what it can see, never for a time: a step is over when everyone in the room has got its broadcast.
On the report wire that also keeps one read one message, so that a script gives the same story every time.

Where the user may record on this machine's loopback, all of that happens here. Elsewhere the same harness is started
again inside a namespace of the kit's own (``lab.room.namespace``), where it may: ``python -m lab.room.record`` is that
second start. Where neither can be had, ``RecordingRefused`` says how to get it.

The manifest is what analyses are scored against: who said what and when, on which port, with which versions, and the
SHA-256 of each file, so that nobody analyses another recording by mistake.
"""

import argparse
import hashlib
import json
import platform
import queue
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.chat import wire
from lab.chat.client import ChatClient, ChatError, Lost
from lab.chat.connection import ConnectionLost
from lab.chat.server import ChatServer, ServerError
from lab.chat.tls import client_context, server_context
from lab.room import namespace
from lab.room.advice import how_to_record
from lab.room.script import Script, make_script
from lab.room.tap import RecordingError, RecordingRefused, Tap, libpcap_version, loopback, may_record

ROOT = Path(__file__).resolve().parents[2]
REPORT_PORT = 9898
STEP_S = 10  # until a step's broadcast must have reached everyone
FILE_NAMES = {"none": "plain", "1.2": "tls12", "1.3": "tls13"}
MANIFEST = "manifest.json"
KEY_LOG_NOTE = "# The TLS secrets of one lab recording, written on purpose: they are public and protect nothing.\n"


def record(
    out: Path | str,
    variants: Sequence[str] = ("none",),
    seed: int = 0,
    port: int | None = None,
    key_log: bool = False,
    say: Callable[[str], None] = print,
) -> dict:
    """Record the conversation of ``seed`` once for each variant ("none", "1.2", "1.3") into the folder ``out``.

    ``port`` None takes the report's, or any free one where that is taken. Returns the manifest that it has written.
    Raises RecordingRefused where this user may not record at all, RecordingError for whatever else goes wrong.
    """
    out = Path(out)
    refused = may_record()
    if refused is None:
        return _record_here(out, variants, seed, port, key_log, say, "the machine's loopback")
    if obstacle := namespace.refusal():
        raise RecordingRefused(f"{refused}, and the kit can make no namespace here ({obstacle}): {how_to_record()}")
    return _record_in_namespace(out, variants, seed, port, key_log)


def _record_in_namespace(out: Path, variants, seed, port, key_log) -> dict:
    command = [sys.executable, "-m", "lab.room.record", "--out", str(out.resolve()), "--seed", str(seed)]
    command += ["--tls", *variants]
    command += ["--port", str(port)] if port is not None else []
    command += ["--keys"] if key_log else []
    with subprocess.Popen(namespace.launcher(command), cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            printed, _ = child.communicate()
        except KeyboardInterrupt:  # it has got Ctrl-C as well, and finishes its file
            try:
                child.wait(STEP_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    if child.returncode:
        raise RecordingError(printed.strip() or f"the recording inside the namespace ended with {child.returncode}")
    return read_manifest(out / MANIFEST)


def _record_here(out: Path, variants, seed, port, key_log, say, where: str) -> dict:
    script = make_script(seed)
    manifest_path = out / MANIFEST
    try:
        out.mkdir(parents=True, exist_ok=True)
        manifest_path.unlink(missing_ok=True)  # it would speak of files that are about to change
        recordings = []
        for variant in variants:
            say(f"recording {FILE_NAMES[variant]}.pcapng: {len(script.lines)} lines of {len(script.users)} users")
            recordings.append(record_session(out, script, variant, port, key_log))
        return write_manifest(manifest_path, recordings, where, seed=seed)
    except (ChatError, ServerError, ConnectionLost) as error:
        raise RecordingError(f"the session broke off: {error}") from error
    except OSError as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"cannot write into {out}: {error.strerror or error}") from error


def write_manifest(path: Path, recordings: list[dict], where: str, **more) -> dict:
    """Write what is true of these recordings, whole or not at all; gives it back. Raises OSError."""
    manifest = {
        "format": 1,
        "made_by": "lab/capture.py",
        **more,
        "where": where,
        "versions": {
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "libpcap": libpcap_version(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "recordings": recordings,
    }
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return manifest


def record_session(out: Path, script: Script, variant: str, port: int | None = None, key_log: bool = False) -> dict:
    """Record one session; returns its entry of the manifest. The server and the tap are gone when this returns."""
    path = out / f"{FILE_NAMES[variant]}.pcapng"
    key_log_path = path.with_suffix(".keys") if key_log and variant != "none" else None
    path.with_suffix(".keys").unlink(missing_ok=True)  # those of an earlier recording would not open this one
    with tempfile.TemporaryDirectory(prefix="lab-keys-") as secrets:
        server_tls = client_tls = None
        if variant != "none":
            from lab.room import authority

            made = authority.issue(secrets)
            server_tls = server_context(made.certificate, made.key, variant)
            if key_log_path:
                key_log_path.write_text(KEY_LOG_NOTE)
            client_tls = client_context(made.ca, variant, key_log_path)
        arrivals = Arrivals()
        if port is None:
            port = REPORT_PORT if _is_free(REPORT_PORT) else 0
        started_ns = time.time_ns()
        with ChatServer("127.0.0.1", port, server_tls, arrivals.console) as server:
            comment = f"Chat of the lab kit, script seed {script.seed}, {_describe(variant)}; recorded on loopback."
            with Tap(path, server.port, comment=comment) as tap:
                player = Player(script, lambda name: ChatClient(name, "127.0.0.1", server.port, client_tls), arrivals)
                player.play()
                server.stop()
    entry = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "frames": tap.frames,
        "tls": variant,
        "tls_version": player.tls_version,
        "cipher": player.cipher,
        "wire": "report",
        "interface": loopback(),
        "started_ns": started_ns,
        "server": {"address": "127.0.0.1", "port": server.port},
        "users": player.users,
        "events": player.events,
    }
    if key_log_path:
        entry["key_log"] = key_log_path.name
    return entry


class Arrivals:
    """The server's console as the player sees it: somebody's arrival is the one step that no client can see."""

    def __init__(self):
        self._changed = threading.Condition()
        self.lines: list[str] = []

    def console(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, start: str) -> None:
        """Until a line begins with ``start``; raises RecordingError where none does in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(line.startswith(start) for line in self.lines), STEP_S):
                raise RecordingError(f"the server never printed {start!r}; it printed {self.lines}")


class Player:
    """Plays a script with one ChatClient a user. ``events`` is what happened, with the time of each send.

    ``make_client`` gives the client of a user's name (or whatever has its face); ``after_step`` may wait for more than
    the clients can see.
    """

    def __init__(
        self,
        script: Script,
        make_client: Callable[[str], ChatClient],
        arrivals: Arrivals,
        after_step: Callable[[], None] = lambda: None,
    ):
        self.script, self._make_client, self._arrivals, self._after_step = script, make_client, arrivals, after_step
        self._present: dict[str, ChatClient] = {}
        self.users: list[dict] = []
        self.events: list[dict] = []
        self.tls_version: str | None = None
        self.cipher: str | None = None

    def play(self) -> None:
        """Every step in turn. Clients that are still there when something fails are closed all the same."""
        try:
            for step in self.script.steps:
                self.events.append({"time_ns": time.time_ns(), "who": step.who, "action": step.action})
                match step.action:
                    case "join":
                        self._join(step.who)
                    case "say":
                        self.events[-1]["text"] = step.text
                        self._present[step.who].say(step.text)
                        self._all_get(wire.Said(step.who, step.text))
                    case "leave":
                        self._present.pop(step.who).leave()
                        self._all_get(wire.Users(tuple(self._present)))
                self._after_step()
        finally:
            for client in self._present.values():
                client.leave()

    def _join(self, name: str) -> None:
        client = self._make_client(name)
        self._present[name] = client
        client.connect()
        self._arrivals.wait_for(f"Connected: {name} ")
        connection = client.connection
        self.tls_version, self.cipher = connection.tls_version, connection.cipher
        self.users.append({"name": name, "address": connection.local[0], "port": connection.local[1]})
        client.announce()
        self._all_get(wire.Connected(name))
        client.ask_users()
        self._all_get(wire.Users(tuple(self._present)))

    def _all_get(self, expected: wire.Reply) -> None:
        """Wait until everyone in the room has received ``expected``, and nothing else before it."""
        for name, client in self._present.items():
            try:
                got = client.events.get(timeout=STEP_S)
            except queue.Empty:
                got = None
            if got != expected:
                what = f"the connection was lost: {got.reason}" if isinstance(got, Lost) else f"got {got!r}"
                raise RecordingError(f"{name} should have received {expected!r}, but {what}")


def read_manifest(path: Path | str) -> dict:
    """The manifest at ``path``. Raises RecordingError where there is none or it is not one."""
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
        if manifest["format"] != 1 or not isinstance(manifest["recordings"], list):
            raise ValueError("not the format that this kit writes")
        return manifest
    except OSError as error:
        raise RecordingError(f"cannot read the manifest {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is no manifest of a recording: {error}") from error


def _describe(variant: str) -> str:
    return "plaintext" if variant == "none" else f"TLS {variant}"


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def port_number(text: str) -> int:
    """A TCP port out of an argument, 0 to 65535 (0: any free one)."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the harness, for each program that offers it."""
    parser.add_argument(
        "--tls",
        nargs="+",
        choices=list(FILE_NAMES),
        default=["none"],
        metavar="{none,1.2,1.3}",
        help="one recording for each: plaintext, TLS 1.2, TLS 1.3 (default: none, that is plaintext)",
    )
    parser.add_argument("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    parser.add_argument("--port", type=port_number, help=f"the server's port (default: {REPORT_PORT}, or a free one)")
    parser.add_argument("--keys", action="store_true", help="also write the TLS secrets, for opening the recording")


def _main_inside() -> int:
    """The harness inside its namespace: progress on standard error, the reason of a failure on standard output."""
    parser = argparse.ArgumentParser(prog="lab.room.record")
    parser.add_argument("--out", type=Path, required=True)
    add_arguments(parser)
    options = parser.parse_args()
    try:
        _record_here(
            options.out,
            options.tls,
            options.seed,
            options.port,
            options.keys,
            lambda line: print(line, file=sys.stderr, flush=True),
            "the loopback of a namespace of the kit's own",
        )
    except RecordingError as error:
        print(error)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_main_inside())
