"""Play a script through the real server and real clients, record it, and write down the truth beside it.

    server listens -> tap records -> clients join, speak, leave -> server stops -> tap stops -> manifest.json

Where the user may record on this machine's loopback, all of that happens here. Elsewhere the same harness is started
again inside a namespace of the kit's own (``lab.net.namespace``), where it may: ``python -m lab.harness.session`` is that
second start. Where neither can be had, ``RecordingRefused`` says how to get it.

The manifest is what analyses are scored against: who said what and when, on which port, with which versions, and the
SHA-256 of each file, so that nobody analyses another recording by mistake.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from lab.chat.client import ChatClient, ChatError, Login
from lab.chat.connection import ConnectionLost
from lab.chat.features.accounts import RoomPassword
from lab.chat.features.private import Private
from lab.chat.private_file import make_private
from lab.chat.server import ChatServer, ServerError
from lab.chat.tls import client_context, server_context
from lab.harness.console_log import ConsoleLog
from lab.harness.manifest import MANIFEST, make_way, read_manifest, write_manifest
from lab.harness.player import STEP_S, Player
from lab.harness.script import Script, Step, make_script
from lab.harness.tap import RecordingError, RecordingRefused, Tap, how_to_record, loopback, may_record
from lab.harness.tunnel import Tunnel
from lab.harness.variant import REPORT_PORT, Variant, as_variant, port_number
from lab.net import namespace
from lab.setup.folder_lock import Locked, folder_lock

ROOT = Path(__file__).resolve().parents[2]
SERVER_NAME = (
    "chat.lab.test"  # what the certificate is made for and the clients ask for (RFC 6761: never a real name)
)
CERTIFICATE_NAMES = (SERVER_NAME, "localhost", "127.0.0.1")
FAILED = "failed: "  # begins the line in which the harness inside a namespace says why
KEY_LOG_NOTE = (
    "# The TLS secrets of one lab recording, written on purpose: they are public and protect nothing.\n"
)


def record(
    out: Path | str,
    variants: Sequence[Variant | str] = ("none",),
    seed: int = 0,
    port: int | None = None,
    key_log: bool = False,
    say: Callable[[str], None] = print,
    script: Script | None = None,
) -> dict:
    """Record a script (None: the conversation of ``seed``) once for each variant into the folder ``out``.

    A variant is a Variant, or "none", "1.2", "1.3" for the report wire in plaintext or over that version of TLS.

    ``port`` None takes the report's, or any free one where that is taken. Returns the manifest that it has written.
    Raises RecordingRefused where this user may not record at all, RecordingError for whatever else goes wrong.
    """
    out = Path(out)
    # Each once: a second recording would overwrite the first.
    variants = list(dict.fromkeys(map(as_variant, variants)))
    script = script or make_script(seed)
    refused = may_record()
    if refused is None:
        return _record_here(out, variants, script, port, key_log, say, "the machine's loopback")
    if obstacle := namespace.refusal():
        raise RecordingRefused(
            f"{refused}, and the kit can make no namespace here ({obstacle}): {how_to_record()}"
        )
    return _record_in_namespace(out, variants, script, port, key_log, say)


def _record_in_namespace(out: Path, variants, script, port, key_log, say) -> dict:
    """The same harness once more, inside. It says on its standard output how far it is, or why it failed."""
    command = [sys.executable, "-m", "lab.harness.session", "--out", str(out.resolve())]
    command += ["--script", json.dumps(asdict(script), ensure_ascii=False)]
    command += ["--variants", json.dumps([asdict(variant) for variant in variants])]
    command += ["--port", str(port)] if port is not None else []
    command += ["--keys"] if key_log else []
    pipes = {"stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    reason = ""
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,  # a pipe could fill up and stop it
        subprocess.Popen(namespace.launcher(command), cwd=ROOT, stderr=errors, **pipes) as child,
    ):
        try:
            for line in child.stdout:
                if line.startswith(FAILED):
                    reason = line.removeprefix(FAILED).strip()
                else:
                    say(line.rstrip("\n"))
            child.wait()
            errors.seek(0)
            trouble = errors.read().strip().splitlines()
        except KeyboardInterrupt:  # it has got Ctrl-C as well, and finishes its file
            try:
                child.wait(STEP_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    if child.returncode:
        last = trouble[-1] if trouble else f"it ended with {child.returncode}"
        raise RecordingError(reason or f"the recording inside the namespace broke off: {last}")
    return read_manifest(out / MANIFEST)


def _record_here(out: Path, variants, script, port, key_log, say, where: str) -> dict:
    manifest_path = out / MANIFEST
    try:
        out.mkdir(parents=True, exist_ok=True)
        with folder_lock(out):
            make_way(out, [f"{variant.name}.pcapng" for variant in variants], say)
            recordings = []
            for variant in variants:
                say(
                    f"recording {variant.name}.pcapng: {len(script.lines)} lines of {len(script.users)} users"
                )
                recordings.append(record_session(out, script, variant, port, key_log))
            about = {"script": script.source} if script.source else {"seed": script.seed}
            return write_manifest(manifest_path, recordings, where, **about)
    except Locked as error:
        raise RecordingError(
            f"another recording is being made in {out}: wait for it, or take another --out"
        ) from error
    except (ChatError, ServerError, ConnectionLost) as error:
        raise RecordingError(f"the session broke off: {error}") from error
    except OSError as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(
            f"cannot write into {out}: {error.strerror or error}; take another --out"
        ) from error


def record_session(
    out: Path, script: Script, variant: Variant | str, port: int | None = None, key_log: bool = False
) -> dict:
    """Record one session; returns its entry of the manifest. The server and the tap are gone when this returns."""
    variant = as_variant(variant)
    path = out / f"{variant.name}.pcapng"
    key_log_path = path.with_suffix(".keys") if key_log and variant.tls != "none" else None
    path.with_suffix(".keys").unlink(missing_ok=True)  # those of an earlier recording would not open this one
    password = script.password if variant.wire == "json" and script.password else None
    with ExitStack() as stack:
        server_tls, client_tls = _contexts(stack, variant, key_log_path)
        arrivals = ConsoleLog()
        started_ns = time.time_ns()
        server = _started_server(script, variant, port, server_tls, arrivals)
        stack.callback(server.stop)
        tunnel = (
            stack.enter_context(Tunnel(variant.disguise, server.port, script.seed))
            if variant.disguise
            else None
        )
        tapped_port = tunnel.port if tunnel else server.port

        def make_client(name: str) -> ChatClient:
            login = Login(
                name,
                "127.0.0.1",
                tunnel.entry_port if tunnel else server.port,
                client_tls,
                variant.wire,
                password,
                variant.pad_to,
                server_name=SERVER_NAME,
            )
            return ChatClient(login)

        played = script.source or f"seed {script.seed}"
        comment = f"Chat of the lab kit, script {played}, {variant.wire} wire, {variant.label}; on loopback."
        with Tap(path, tapped_port, comment=comment) as tap:
            player = Player(
                script,
                make_client,
                arrivals,
                wire=variant.wire,
                endpoint_of=(lambda client: tunnel.endpoints[-1])
                if tunnel
                else lambda client: client.connection.local,
            )
            player.play()
            server.stop()
            stack.close()  # the tunnel too: its last FIN belongs to the recording
    entry = {
        "file": path.name,
        "label": variant.label,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "frames": tap.frames,
        "tls": variant.tls,
        "tls_version": player.tls_version,
        "cipher": player.cipher,
        "wire": variant.wire,
        "pad_to": variant.pad_to,
        "disguise": variant.disguise,
        "interface": loopback(),
        "started_ns": started_ns,
        "server": {"address": "127.0.0.1", "port": tapped_port},
        "users": player.users,
        "secrets": [*script.secrets, *([password] if password else [])],
        "events": player.events,
    }
    if variant.tls != "none":
        entry |= {"server_name": SERVER_NAME, "certificate_names": list(CERTIFICATE_NAMES)}
    if variant.disguise == "xor":
        entry["key"] = tunnel.key.hex()
    if key_log_path:
        entry["key_log"] = key_log_path.name
    return entry


def _contexts(stack: ExitStack, variant: Variant, key_log_path: Path | None) -> tuple:
    """The server's and the client's TLS context, or (None, None) for plaintext."""
    if variant.tls == "none":
        return None, None
    from lab.harness import certificates

    made = certificates.issue(stack.enter_context(TemporaryDirectory(prefix="lab-keys-")), CERTIFICATE_NAMES)
    if key_log_path:
        make_private(key_log_path)
        key_log_path.write_text(KEY_LOG_NOTE)
    return (
        server_context(made.certificate, made.key, variant.tls),
        client_context(made.ca, variant.tls, key_log_path),
    )


def _started_server(
    script: Script, variant: Variant, port: int | None, tls, arrivals: ConsoleLog
) -> ChatServer:
    """The server, listening on ``port``; None: on the report's port, or where somebody has that on any free one."""
    for candidate in (REPORT_PORT, 0) if port is None else (port,):
        server = ChatServer(
            "127.0.0.1",
            candidate,
            tls,
            arrivals.console,
            tls_only=tls is not None,
            features=[Private(), *([RoomPassword(script.password)] if script.password else [])]
            if variant.wire == "json"
            else [],
            pad_to=variant.pad_to,
        )
        try:
            return server.start()
        except ServerError:
            if port is not None or candidate == 0:
                raise
    raise AssertionError("the last candidate has been returned or has raised")


def _main_inside() -> int:
    """The harness inside its namespace."""
    sys.stdout.reconfigure(encoding="utf-8")
    parser = argparse.ArgumentParser(prog="lab.harness.session")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=json.loads, default=[{}])
    parser.add_argument("--script", type=json.loads, required=True)
    parser.add_argument("--port", type=port_number)
    parser.add_argument("--keys", action="store_true")
    options = parser.parse_args()
    try:
        _record_here(
            options.out,
            [Variant(**variant) for variant in options.variants],
            Script(**options.script | {"steps": tuple(Step(**step) for step in options.script["steps"])}),
            options.port,
            options.keys,
            lambda line: print(line, flush=True),
            "the loopback of a namespace of the kit's own",
        )
    except RecordingError as error:
        print(f"{FAILED}{error}", flush=True)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_main_inside())
