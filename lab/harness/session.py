"""Play a script through the real server and real clients, record it, and write down the truth beside it.

    server listens -> tap records -> clients join, speak, leave -> server stops -> tap stops -> manifest.json

``record`` does so on the loopback. Where the user may not record on this machine's own, a host agent plays and records
each session inside a namespace of the kit's (``lab.net.namespace``), where it may. Where neither can be had,
``RecordingRefused`` says how to get it. ``record_on_lan`` does the same on a LAN, the server and each client on its host.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import Any

from lab.chat.client import ChatClient
from lab.chat.connection import ConnectionLost, reason
from lab.chat.features import Feature
from lab.chat.features.accounts import RoomPassword
from lab.chat.features.private import Private
from lab.chat.features.restrictions import TlsOnly
from lab.chat.listener import ServerError
from lab.chat.login import ChatError, Login
from lab.chat.server import ChatServer
from lab.harness.lan_tap import Recording
from lab.harness.manifest import MANIFEST, Entry, make_way, sha256_of, write_manifest
from lab.harness.player import Player
from lab.harness.remote_chat import ConsoleLog, dial_from, remote_server, wait_until_acknowledged
from lab.harness.script import Script, Step, make_script
from lab.harness.tap import RecordingError, RecordingRefused, Tap, loopback, may_record, nowhere_to_record
from lab.harness.tls_contexts import CERTIFICATE_NAMES, SERVER_NAME, contexts
from lab.harness.tunnel import Tunnel
from lab.harness.variant import REPORT_PORT, Variant
from lab.net import namespace
from lab.net.host_agent import HostAgent, HostAgentError
from lab.net.lan import Lan
from lab.net.plan import LanRefused
from lab.setup.folder_lock import Locked, folder_lock

LOOPBACK = "127.0.0.1"
SESSION_S = 600  # until a session must have been played
BREAK_OFF = (ChatError, ServerError, ConnectionLost)


def record(
    out: Path | str,
    variants: Sequence[Variant] = (Variant(),),
    seed: int = 0,
    port: int | None = None,
    key_log: bool = False,
    say: Callable[[str], None] = print,
    script: Script | None = None,
) -> dict[str, Any]:
    """Record a script (None: the conversation of ``seed``) once for each variant into the folder ``out``.

    Return the manifest that was written. Raises RecordingRefused where this user may not record at all, RecordingError
    for anything else that goes wrong.
    """
    out, script = Path(out), script or make_script(seed)
    if (pauses_s := sum(script.pauses_s)) > SESSION_S / 2:
        text = f"at this pace the pauses alone take {pauses_s:.0f} s of the {SESSION_S} s that a session may last"
        raise RecordingError(f"{text}; take a smaller --pace")
    chosen = dict.fromkeys(variants)  # each once: a second would overwrite the first
    of_its_own = any(variant.needs_pyopenssl for variant in chosen)
    with session_recorder(of_its_own) as (record_one, where), recording_into(out):
        make_way(out, [f"{variant.name}.pcapng" for variant in chosen], say)
        recordings = []
        for variant in chosen:
            lines = f"{len(script.lines)} line{'s' * (len(script.lines) != 1)}"
            say(f"recording {variant.name}.pcapng: {lines} of {len(script.users)} users")
            recordings.append(record_one(Session(out, script, variant, port, key_log)))
        about: dict[str, Any] = {"script": script.source} if script.source else {"seed": script.seed}
        about |= {"pace_s": script.pace_s} if script.pace_s else {}
        return write_manifest(out / MANIFEST, recordings, where, **about)


@contextmanager
def recording_into(out: Path) -> Iterator[None]:
    """Make and lock the folder of a recording. Whatever goes wrong is raised as a RecordingError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with folder_lock(out):
            tempfile.TemporaryFile(dir=out).close()  # to find out before the session
            yield
    except RecordingError:
        raise
    except Locked as error:
        text = f"another recording is being made in {out}: wait for it, or take another --out"
        raise RecordingError(text) from error
    except LanRefused as error:
        cause = namespace.diagnosis() or (f"no LAN can be made here: {error}", "python3 lab doctor")
        raise RecordingRefused(": ".join(cause)) from error
    except (*BREAK_OFF, HostAgentError) as error:
        raise RecordingError(f"the session broke off: {error}") from error
    except OSError as error:
        raise RecordingError(f"cannot write into {out}: {reason(error)}; take another --out") from error


@dataclass(frozen=True)
class Session:
    """A script to be recorded once, into the folder ``out``.

    ``port`` None is the report's, or any free one where that is taken.
    """

    out: Path
    script: Script
    variant: Variant
    port: int | None = None
    key_log: bool = False


Popen = Callable[..., "subprocess.Popen[Any]"]
RecordOne = Callable[[Session], Entry]


@contextmanager
def session_recorder(namespaces_first: bool) -> Iterator[tuple[RecordOne, str]]:
    """Yield a function that does what ``record_session`` does, and the place where it records.

    That is a namespace where this user may not record on the machine's loopback, or always (``namespaces_first``).
    Raises RecordingRefused.
    """
    refused = may_record()
    if refused is None and not (namespaces_first and namespace.refusal() is None):
        yield partial(_record_one, record_session, subprocess.Popen), "the machine's loopback"
        return
    if obstacle := namespace.refusal():
        raise nowhere_to_record(refused, obstacle)
    with _agent(namespace.popen) as agent:
        record_there = partial(_record_by, agent)
        where = "the loopback of a namespace of the kit's own"
        yield partial(_record_one, record_there, namespace.popen), where


def _record_one(record_usual: RecordOne, popen: Popen, session: Session) -> Entry:
    """Record a session, in a process of its own where its OpenSSL needs settings."""
    if not session.variant.needs_pyopenssl:
        return record_usual(session)
    from lab.harness import openssl_peer

    with openssl_peer.environment(session.variant) as env, _agent(partial(popen, env=env)) as agent:
        if popen is namespace.popen:
            agent.call("make_loopback_like_ethernet")
        return _record_by(agent, session)


def _agent(popen: Popen) -> HostAgent:
    errors = (*BREAK_OFF, RecordingError, RecordingRefused)
    return HostAgent(popen, "lab.harness.session:SessionRecorder", "the process that records", errors)


def _record_by(agent: HostAgent, session: Session) -> Entry:
    entry: Entry = agent.call("record", SESSION_S, **asdict(session) | {"out": str(session.out.resolve())})
    return entry


class SessionRecorder:
    """Carries out the calls in the process that records."""

    def make_loopback_like_ethernet(self) -> None:
        """Let the namespace's loopback carry frames of at most 1,500 bytes; otherwise no hello is too long for one."""
        from pyroute2 import IPRoute

        from lab.net import keeper, plan

        with IPRoute() as ip:
            ip.link("set", index=ip.link_lookup(ifname="lo")[0], mtu=plan.MTU)
        keeper.offloads_off("lo")

    def record(self, out: str, script: dict[str, Any], variant: dict[str, Any], **more: Any) -> Entry:
        steps = tuple(Step(**step) for step in script["steps"])
        played = Script(**script | {"steps": steps})
        return record_session(Session(Path(out), played, Variant(**variant), **more))


def record_session(session: Session) -> Entry:
    """Record one session; return its entry of the manifest. The server and the tap are gone when this returns."""
    script, variant = session.script, session.variant
    path = session.out / f"{variant.name}.pcapng"
    path.with_suffix(".keys").unlink(missing_ok=True)  # those of an earlier recording would not open this one
    key_log_path = path.with_suffix(".keys") if session.key_log and variant.tls != "none" else None
    password = script.password or None if variant.wire == "json" else None
    log = ConsoleLog()
    with ExitStack() as stack:
        server_tls, client_tls = None, None
        if variant.tls != "none":
            server_tls, client_tls = contexts(stack, variant, key_log_path)
        server = _start_server(session, server_tls, log.console)
        stack.callback(server.stop)
        entry_port = tapped_port = server.port
        tunnel = None
        if variant.disguise:
            tunnel = stack.enter_context(Tunnel(variant.disguise, server.port, script.seed))
            entry_port, tapped_port = tunnel.entry_port, tunnel.port
        login = Login("", LOOPBACK, entry_port, client_tls, variant.wire, password, variant.pad_to)
        login = replace(login, server_name=SERVER_NAME)
        played = script.source or f"seed {script.seed}"
        comment = f"Chat of the lab kit, script {played}, {variant.wire} wire, {variant.label}; on loopback."
        with Tap(path, tapped_port, comment=comment) as tap:
            player = Player(script, variant.wire, lambda name: ChatClient(replace(login, name=name)), log)
            player.play()
            server.stop()
            stack.close()  # the tunnel too: its last FIN belongs to the recording
    if tunnel:  # the recorded connections are those from its entry
        for user, (address, user_port) in zip(player.users, tunnel.endpoints, strict=True):
            user |= {"address": address, "port": user_port}
    entry = _entry(path, variant, player, tap.frames, loopback(), LOOPBACK, tapped_port)
    entry |= {"secrets": [*script.secrets, *([password] if password else [])]}
    if tunnel and variant.disguise == "xor":
        entry["key"] = tunnel.key.hex()
    if key_log_path:
        entry["key_log"] = key_log_path.name
    return entry


def record_on_lan(
    lan: Lan,
    script: Script,
    path: Path,
    places: Sequence[str],
    *,
    host_of: Mapping[str, str],
    source_ports: Mapping[str, int],
    port: int = REPORT_PORT,
    network: str = "the report's LAN",
) -> Entry:
    """Play a script on a LAN with a host called "server" and one for each user; return its entry of the manifest.

    A step is over when its broadcast has reached everyone *and* every byte has been acknowledged. The report's users
    were slow enough for that; here it keeps an ACK from riding along with the next message.
    """
    comment = f"Chat of the lab kit on {network}, plaintext; recorded at {', '.join(places)}."
    log = ConsoleLog()
    address = lan["server"].address
    clients: list[ChatClient] = []

    def client_of(name: str) -> ChatClient:
        dial = dial_from(lan[host_of[name]], source_ports.get(name, 0))
        clients.append(ChatClient(Login(name, address, port, dial=dial)))
        return clients[-1]

    with Recording(lan, places, path, comment=comment) as recording:
        with remote_server(lan["server"], port, log.console) as server:
            wait = partial(wait_until_acknowledged, server, clients)
            player = Player(script, "report", client_of, log, after_step=wait)
            player.play()
    frames, interface = sum(recording.frames.values()), ", ".join(recording.frames)
    entry = _entry(path, Variant(), player, frames, interface, address, port)
    return entry | {"hosts": {one.name: one.plan.nics[0].addresses[0] for one in lan.hosts.values()}}


def _entry(
    path: Path, variant: Variant, player: Player, frames: int, interface: str, address: str, port: int
) -> Entry:
    entry: Entry = {
        "file": path.name,
        "label": variant.label,
        "sha256": sha256_of(path),
        "frames": frames,
        "tls": variant.tls,
        "tls_version": player.tls_version,
        "cipher": player.cipher,
        "wire": variant.wire,
        "pad_to": variant.pad_to,
        "disguise": variant.disguise,
        "interface": interface,
        "started_ns": player.started_ns,
        "server": {"address": address, "port": port},
        "users": player.users,
        "events": player.events,
    }
    if variant.tls != "none":
        entry |= {"server_name": SERVER_NAME, "certificate_names": list(CERTIFICATE_NAMES)}
    if variant.needs_pyopenssl:
        from lab.harness.openssl_peer import openssl_version

        entry |= {"groups": variant.groups, "retry": variant.retry, "pad_records": variant.pad_records}
        entry["openssl"] = openssl_version()
    return entry


def _start_server(session: Session, tls: SSLContext | None, console: Callable[[str], None]) -> ChatServer:
    features: list[Feature] = [TlsOnly()] if tls else []
    if session.variant.wire == "json":
        features.append(Private())
        if session.script.password:
            features.append(RoomPassword(session.script.password))
    wanted = REPORT_PORT if session.port is None else session.port
    server = ChatServer(LOOPBACK, wanted, tls, console, features=features, pad_to=session.variant.pad_to)
    try:
        return server.start()
    except ServerError:
        if session.port is not None:
            raise
    return _start_server(replace(session, port=0), tls, console)
