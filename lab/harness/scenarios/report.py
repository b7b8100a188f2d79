"""Sessions on a LAN of the kit, recorded where you like: ``python lab/capture.py --scenario report``.

The report's scenario plays the session behind the report's trace on the report's network (four hosts with its
addresses, its two known MACs, PC 1's source port) with the real server and clients on their hosts, and records it at
PC 1, as the report did. What is settled by the protocols comes out as in the report, frame by frame; what
another machine has to choose differently is listed in the manifest, with the reason.

The player goes on when a step's broadcast has reached everyone *and* every byte has been acknowledged. The report's
users were slow enough for that by themselves; here it keeps an ACK from riding along with the next message.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from lab.chat.client import ChatError
from lab.chat.connection import ConnectionLost
from lab.chat.server import ServerError
from lab.harness.console_log import ConsoleLog
from lab.harness.lan_tap import Recording
from lab.harness.manifest import MANIFEST, make_way, write_manifest
from lab.harness.player import Player
from lab.harness.remote_chat import RemoteClient, RemoteServer, wait_until_acknowledged
from lab.harness.script import REPORT_SCRIPT, Script
from lab.harness.tap import RecordingError, RecordingRefused
from lab.harness.variant import REPORT_PORT
from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN, LanRefused

HOST_OF = {"Brandon": "PC1", "John": "PC2", "Alice": "laptop"}
SOURCE_PORTS = {"Brandon": 56228}

CANNOT_MATCH = [
    {
        "value": "frame numbers and times",
        "why": "the report's capture has other traffic in it, and people who type",
    },
    {"value": "initial sequence numbers", "why": "each host draws them at random (RFC 9293 section 3.4.1)"},
    {"value": "IP identification", "why": "each host draws it at random"},
    {
        "value": "windows after the SYN",
        "why": "each kernel sizes its buffers by itself, and the report's PC 1 ran Windows",
    },
    {
        "value": "order of the options in PC 1's SYN, its TTL",
        "why": "the report's PC 1 ran Windows, here it is Linux",
    },
    {"value": "both checksums", "why": "they cover the values above"},
    {"value": "the text of frame 1259", "why": "the report does not show it; any four bytes will do"},
]


def record_report(
    out: Path | str, say: Callable[[str], None] = print, places: tuple[str, ...] = ("PC1",)
) -> dict:
    """Record the report's session at ``places`` into the folder ``out``; gives the manifest that it has written.

    Raises RecordingRefused where this system allows no namespaces, RecordingError for whatever else goes wrong.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        make_way(out, ["report.pcapng"], say)
        say(f"recording report.pcapng at {', '.join(places)}: the session of the report's trace")
        with Lan(REPORT_LAN) as lan:
            entry = play_on(lan, REPORT_SCRIPT, out / "report.pcapng", places)
        entry |= {"scenario": "report", "cannot_match": CANNOT_MATCH}
        return write_manifest(out / MANIFEST, [entry], "a LAN of the kit's own", scenario="report")
    except LanRefused as error:
        sentence, fix = namespace.diagnosis() or (f"no LAN can be made here: {error}", "python3 lab doctor")
        raise RecordingRefused(f"{sentence}: {fix}") from error
    except OSError as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"cannot write into {out}: {error.strerror or error}") from error


def play_on(
    lan: Lan,
    script: Script,
    path: Path,
    places: tuple[str, ...] = ("PC1",),
    *,
    host_of: dict[str, str] = HOST_OF,
    source_ports: dict[str, int] = SOURCE_PORTS,
    port: int = REPORT_PORT,
    network: str = "the report's LAN",
) -> dict:
    """Play a script on a LAN with a host called "server" and one for each user; gives its entry of the manifest.

    Raises RecordingError.
    """
    comment = f"Chat of the lab kit on {network}, plaintext; recorded at {', '.join(places)}."
    arrivals = ConsoleLog()
    chat: list[RemoteServer | RemoteClient] = []

    def client_of(name: str) -> RemoteClient:
        source_port = source_ports.get(name, 0)
        client = RemoteClient(lan[host_of[name]], name, lan["server"].address, port, source_port)
        chat.append(client)
        return client

    started_ns = time.time_ns()
    try:
        with Recording(lan, list(places), path, comment=comment) as recording:
            with RemoteServer(lan["server"], port, arrivals.console) as server:
                chat.append(server)
                player = Player(script, client_of, arrivals, lambda: wait_until_acknowledged(chat))
                player.play()
    except (ChatError, ServerError, ConnectionLost) as error:
        raise RecordingError(f"the session broke off: {error}") from error
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "frames": sum(recording.frames.values()),
        "tls": "none",
        "tls_version": None,
        "cipher": None,
        "wire": "report",
        "interface": ", ".join(recording.frames),
        "started_ns": started_ns,
        "server": {"address": lan["server"].address, "port": port},
        "users": player.users,
        "events": player.events,
        "hosts": {one.name: one.plan.nics[0].addresses[0] for one in lan.hosts.values()},
    }
