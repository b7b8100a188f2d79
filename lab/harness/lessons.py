"""The recordings that the notebooks 02, 03, 04, 06 and 07 open: ``python -m lab.harness.lessons captures/lessons``.

Each lesson is a function that plays one small thing on the report's LAN, records it, and gives what is true of it. What
goes wrong in them goes wrong by order (``conditions``) and not by chance, so a lesson comes out the same every time; only
times, ports and initial sequence numbers are new. The cable of PC 1 is long in most of them (30 ms each way): a whole
flight of segments has then left before the first answer is back, as on a real path, however fast this machine is.

``manifest.json`` beside the recordings says what was said, and the SHA-256 of each file.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.chat.server import ServerError
from lab.chat.wires import WIRES
from lab.harness.bare_socket import BareSocket, BareSocketError
from lab.harness.console_log import ConsoleLog
from lab.harness.lan_tap import Recording
from lab.harness.manifest import MANIFEST, make_way, read_manifest, write_manifest
from lab.harness.remote_chat import RemoteServer
from lab.harness.scenarios.report import CANNOT_MATCH, play_on
from lab.harness.script import REPORT_SCRIPT
from lab.harness.tap import RecordingError, RecordingRefused
from lab.harness.variant import REPORT_PORT
from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN, LanRefused

CABLE_S = 0.03  # one way
# Without a tail loss probe (RFC 8985 section 7), which would repeat a segment before the retransmission timer does.
TEXTBOOK = {"net.ipv4.tcp_early_retrans": "0"}
# Send buffers of a few kilobytes: a room then freezes after some lines, and not after some megabytes.
SMALL_BUFFERS = {"net.ipv4.tcp_wmem": "4096 8192 8192"}
SOURCE_PORT = 50_000  # of both tries of a client
RECEIVE_BUFFER = (
    8192  # bytes that a silent reader asks for; Linux doubles it, and makes about half of that the window
)

QUICK = ("hello", "how are you?", "bye")  # three messages, said in one breath
LONG = (
    "a" + "é" * 600
)  # 1201 bytes in UTF-8, so that byte 1024, where a read ends, is the middle of a character
SEGMENTS, SEGMENT_BYTES = 10, 1000
ROOM_LINES = 48
PACE_S = 0.03  # between two lines
FROZEN_S = 1.5  # how long the silent reader stays silent once everything has been said
PATIENCE_S = 0.6  # after which nobody waits for a line any more
STOP_S = 10


class Lesson(NamedTuple):
    """How a recording is made. ``play`` takes the file to write and gives its part of the manifest."""

    play: Callable[[Path], dict]
    notebook: str
    about: str


def record_lessons(
    out: Path | str, names: Iterable[str] | None = None, say: Callable[[str], None] = print
) -> dict:
    """Record these lessons (None: all) into the folder ``out`` and return the manifest that it has written. The
    manifest keeps the entries of other lessons that are there already.

    Raises KeyError for a lesson that there is not, RecordingRefused where this system allows no namespaces, and
    RecordingError for whatever else goes wrong.
    """
    out, names = Path(out), list(LESSONS if names is None else names)
    lessons = [LESSONS[name] for name in names]
    try:
        out.mkdir(parents=True, exist_ok=True)
        entries = {name: entry for name, entry in _recorded(out).items() if name not in names}
        make_way(out, [f"{name}.pcapng" for name in names], say)
        for name, lesson in zip(names, lessons, strict=True):
            say(f"recording {name}.pcapng: {lesson.about}")
            path = out / f"{name}.pcapng"
            truth = lesson.play(path)
            entries[name] = _entry(path, lesson) | truth
        in_order = [entries[name] for name in LESSONS if name in entries]
        return write_manifest(
            out / MANIFEST, in_order, "a LAN of the kit's own", made_by="lab.harness.lessons"
        )
    except LanRefused as error:
        sentence, fix = namespace.diagnosis() or (f"no LAN can be made here: {error}", "python3 lab doctor")
        raise RecordingRefused(f"{sentence}: {fix}") from error
    except (BareSocketError, ServerError) as error:
        raise RecordingError(f"the lesson broke off: {error}") from error
    except OSError as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"cannot write into {out}: {error.strerror or error}") from error


def _recorded(out: Path) -> dict[str, dict]:
    """The entries of the manifest in ``out``, if there is one, by name."""
    if not (out / MANIFEST).exists():
        return {}
    return {Path(entry["file"]).stem: entry for entry in read_manifest(out / MANIFEST)["recordings"]}


def _entry(path: Path, lesson: Lesson) -> dict:
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "notebook": lesson.notebook,
        "about": lesson.about,
        "server": {"address": REPORT_LAN[0].nics[0].addresses[0].split("/")[0], "port": REPORT_PORT},
    }


# 02 and 03: the report's own session


def report(path: Path) -> dict:
    """The session behind the report's trace, recorded at PC 1."""
    with Lan(REPORT_LAN) as lan:
        return play_on(lan, REPORT_SCRIPT, path) | {"cannot_match": CANNOT_MATCH}


def refused_then_accepted(path: Path) -> dict:
    """PC 1 tries before the server listens, and again from the same port; recorded at PC 1."""
    address = REPORT_LAN[0].nics[0].addresses[0].split("/")[0]
    with _room(path, "PC1") as lan, BareSocket(lan["server"]) as server, BareSocket(lan["PC1"]) as client:
        try:
            client.connect(address, REPORT_PORT, source_port=SOURCE_PORT)
        except BareSocketError:
            pass  # refused
        else:
            raise RecordingError("somebody listened already")
        lan.settle()
        server.listen(REPORT_PORT)
        client.connect(address, REPORT_PORT, source_port=SOURCE_PORT)
        server.accept()
        client.say(b"hello")
        server.hear(until=b"hello")
        server.say(b"welcome")
        client.hear(until=b"welcome")
        lan.settle()
        client.leave()
        server.hear_to_the_end()
        server.leave()
    return {"place": "PC1", "source_port": SOURCE_PORT, "said": ["hello", "welcome"], "cable_s": CABLE_S}


# 04: a stream of bytes


def _quick_talk(path: Path, *, wire: str, no_delay: bool = False, order: str = "") -> dict:
    """Brandon says three things in one breath, and then a long one; recorded at the server."""
    encode = WIRES[wire]().encode
    with _room(path, "server") as lan, _server(lan) as arrivals, BareSocket(lan["PC1"]) as brandon:
        brandon.connect(lan["server"].address, REPORT_PORT, no_delay=no_delay)
        brandon.say(encode(events.Join("Brandon")))
        arrivals.wait_for("*** Brandon Connected ")
        if joined := encode(events.Joined("Brandon")):
            brandon.hear(until=joined)
        lan.settle()
        if order:
            lan.order(order)
        brandon.say(*(encode(events.Say(text)) for text in QUICK))
        brandon.hear(until=QUICK[-1].encode())
        lan.settle()  # the acknowledgement of that is in the recording by itself
        brandon.say(encode(events.Say(LONG)))
        brandon.hear(until=LONG[-40:].encode())
        lan.settle()
        brandon.say(encode(events.Leave()))
        brandon.hear_to_the_end()
        brandon.leave()
    return {"wire": wire, "no_delay": no_delay, "said": [*QUICK, LONG], "order": order or None}


def glued(path: Path) -> dict:
    """On the report wire, with Nagle's algorithm on, as the report's client has it."""
    return _quick_talk(path, wire="report")


def glued_without_nagle(path: Path) -> dict:
    """Three segments on the wire, the first one lost: the server can read nothing until it comes, and then all."""
    return _quick_talk(path, wire="report", no_delay=True, order="drop the first data segment from PC1")


def framed(path: Path) -> dict:
    """The same on the json wire."""
    return _quick_talk(path, wire="json")


# 06: bad weather


def _transfer(
    path: Path, place: str, *orders: str, before_connect: bool = False, count: int = SEGMENTS
) -> dict:
    """PC 1 sends ``count`` segments of 1000 bytes, one send each, under these orders; the server answers at the end."""
    pieces = [_numbered(number) for number in range(1, count + 1)]
    with _room(path, place) as lan, BareSocket(lan["server"]) as server, BareSocket(lan["PC1"]) as sender:
        server.listen(REPORT_PORT)
        if before_connect:
            for order in orders:
                lan.order(order)
        sender.connect(lan["server"].address, REPORT_PORT, no_delay=True)
        server.accept()
        lan.settle()
        if not before_connect:
            for order in orders:
                lan.order(order)
        sender.say(*pieces)
        server.hear(until=pieces[-1])
        server.say(b"got it")
        sender.hear(until=b"got it")  # and only now is the connection closed: a FIN would tell of a loss, too
        sender.leave()
        server.hear_to_the_end()
        server.leave()
    return {"orders": list(orders), "place": place, "sent_bytes": count * SEGMENT_BYTES, "cable_s": CABLE_S}


def _numbered(number: int) -> bytes:
    """A segment's worth of text that says which one it is."""
    return f"segment {number:>2} ".encode().ljust(SEGMENT_BYTES - 1, b".") + b"\n"


def calm(path: Path) -> dict:
    """Nothing is wrong but the distance."""
    return _transfer(path, "PC1")


def loss_at_the_sender(path: Path) -> dict:
    """The third of ten segments is lost; seen where they are sent."""
    return _transfer(path, "PC1", "drop the third data segment from PC1")


def loss_at_the_receiver(path: Path) -> dict:
    """The same, seen where the others arrive."""
    return _transfer(path, "server", "drop the third data segment from PC1")


def held_syn_ack(path: Path) -> dict:
    """The answer to the SYN is on its way for one and a half seconds."""
    return _transfer(path, "PC1", "hold the SYN-ACK 1.5 s", before_connect=True, count=1)


def back_off(path: Path) -> dict:
    """One segment, lost three times in a row."""
    return _transfer(path, "PC1", "drop the next three data segments from PC1", count=1)


def zero_window(path: Path) -> dict:
    """A reader with a small buffer stops reading, and reads on after two probes; recorded where it is sent."""
    text = b"".join(_numbered(number) for number in range(1, 41))
    with _room(path, "server") as lan, BareSocket(lan["server"]) as server, BareSocket(lan["PC1"]) as reader:
        server.listen(REPORT_PORT)
        reader.connect(lan["server"].address, REPORT_PORT, receive_buffer=RECEIVE_BUFFER)
        server.accept()
        server.say(text, wait=False)
        server.probe(2)
        reader.hear(until=text[-40:])
        server.leave()
        reader.hear_to_the_end()
        reader.leave()
    return {"place": "server", "sent_bytes": len(text), "cable_s": CABLE_S}


# 07: threads


def _silent_reader(path: Path, program: str) -> dict:
    """Brandon talks, John listens, Alice stops reading; recorded at the server."""
    said = [f"line {number:>2} ".ljust(500, ".") for number in range(1, ROOM_LINES + 1)]
    plans = [replace(plan, sysctl=SMALL_BUFFERS) if plan.name == "server" else plan for plan in REPORT_LAN]
    with Lan(plans) as lan, Recording(lan, ["server"], path, comment=f"{path.stem}, a lesson of the lab kit"):
        with _server(lan, program) as arrivals, BareSocket(lan["PC1"]) as brandon:
            with BareSocket(lan["laptop"]) as alice, BareSocket(lan["PC2"]) as john:
                room = {"Brandon": brandon, "Alice": alice, "John": john}
                for name, puppet in room.items():
                    buffer = RECEIVE_BUFFER if name == "Alice" else 0
                    puppet.connect(lan["server"].address, REPORT_PORT, no_delay=True, receive_buffer=buffer)
                    puppet.say(JsonWire().encode(events.Join(name)))
                    arrivals.wait_for(f"*** {name} Connected")
                heard = _talk(brandon, john, said)
                time.sleep(FROZEN_S)  # the silence itself
                alice.hear(until=said[-1].encode())  # she reads on
                for puppet in (brandon, john) if heard < len(said) else (brandon,):
                    puppet.hear(until=said[-1].encode())
                for puppet in (john, alice, brandon):
                    puppet.say(JsonWire().encode(events.Leave()))
                    puppet.hear_to_the_end()
                    puppet.leave()
                lan.settle()
    return {
        "room_server": program,
        "users": list(room),
        "silent": "Alice",
        "said": said,
        "heard_while_she_was_silent": heard,
    }


def _talk(brandon: BareSocket, john: BareSocket, said: list[str]) -> int:
    """Brandon says line after line, each when John has heard the one before; gives how many John has heard.

    When John has not heard one in time, Brandon says the others all the same.
    """
    heard, waiting = 0, True
    for text in said:
        brandon.say(JsonWire().encode(events.Say(text)))
        if waiting:
            try:
                john.hear(until=text.encode(), wait_s=PATIENCE_S)
                heard += 1
            except BareSocketError:
                waiting = False
        time.sleep(PACE_S)
    return heard


def frozen(path: Path) -> dict:
    """With a server that sends to everyone in turn, under one lock."""
    return _silent_reader(path, "lab/stages/framed.py")


def cured(path: Path) -> dict:
    """With the kit's server, which waits for nobody."""
    return _silent_reader(path, "lab/server.py")


LESSONS = {
    "report": Lesson(report, "02, 03", "the session behind the report's trace, at PC 1"),
    "refused-then-accepted": Lesson(
        refused_then_accepted,
        "02",
        "a client that was there before its server, and tried again, at the client",
    ),
    "glued": Lesson(glued, "04", "three quick messages and a long one on the report wire, at the server"),
    "glued-without-nagle": Lesson(
        glued_without_nagle, "04", "the same with TCP_NODELAY, and the first segment lost, at the server"
    ),
    "framed": Lesson(framed, "04", "the same on the json wire, at the server"),
    "calm": Lesson(calm, "06", "ten segments over a cable of 30 ms each way, at the sender"),
    "loss-at-the-sender": Lesson(
        loss_at_the_sender, "06", "the third of ten segments is lost, at the sender"
    ),
    "loss-at-the-receiver": Lesson(loss_at_the_receiver, "06", "the same, at the receiver"),
    "held-syn-ack": Lesson(
        held_syn_ack, "06", "a SYN-ACK that takes one and a half seconds, at the initiator"
    ),
    "back-off": Lesson(back_off, "06", "one segment, lost three times in a row, at the sender"),
    "zero-window": Lesson(zero_window, "06", "a reader that stops reading, and reads on, at the sender"),
    "frozen": Lesson(frozen, "07", "a silent reader in the room of a server with one lock, at the server"),
    "cured": Lesson(cured, "07", "the same silent reader in the room of the kit's server, at the server"),
}


# What they share


@contextmanager
def _room(path: Path, place: str):
    """The report's LAN with a long cable at PC 1, recorded at one place."""
    plans = [replace(plan, sysctl=plan.sysctl | TEXTBOOK) for plan in REPORT_LAN]
    with Lan(plans) as lan:
        lan.condition("PC1", delay_s=CABLE_S)
        with Recording(
            lan, [place], path, comment=f"{path.stem}, a lesson of the lab kit, recorded at {place}"
        ):
            yield lan


@contextmanager
def _server(lan: Lan, program: str = "lab/server.py"):
    """The kit's server on its host; gives what its console has printed."""
    arrivals = ConsoleLog()
    with RemoteServer(lan["server"], REPORT_PORT, arrivals.console, program):
        yield arrivals


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.harness.lessons", description="Record what the notebooks open."
    )
    parser.add_argument("out", type=Path, help="folder for the recordings and manifest.json")
    parser.add_argument(
        "lessons", nargs="*", choices=[[], *LESSONS], metavar="LESSON", help=", ".join(LESSONS)
    )
    options = parser.parse_args(argv)
    try:
        manifest = record_lessons(options.out, options.lessons or None)
    except RecordingError as error:
        print(f"lessons: {error}", file=sys.stderr)
        return 2
    print(f"{options.out / MANIFEST}: {len(manifest['recordings'])} recordings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
