"""Provide frames for checks: recordings that ship with the kit, and made-up conversations.

Checks make up from a seed what recordings seldom contain: a sequence number that wraps around, an IPv4 header
with options, a repeated SYN. The right results come from ``lab.dissect``, whose tests compare it with Wireshark.

``Talk`` writes one TCP connection frame by frame; several can share one ``Tape`` and so run side by side.
Sequence numbers are offsets into each side's stream: 0 is its SYN, 1 its first byte.
"""

import io
import ipaddress
import random
import struct
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from lab.dissect.fields.checksums import NUMBERS, ones_sum, pseudo_header
from lab.dissect.files.capture_file import CaptureWriter, parse_capture, read_capture
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import Segments, read_segments
from lab.dissect.tcp.streams import Stream
from lab.setup.paths import ROOT

PLAIN = ROOT / "captures" / "chat" / "plain.pcapng"
TLS12 = ROOT / "captures" / "chat" / "tls12.pcapng"
TLS13 = ROOT / "captures" / "chat" / "tls13.pcapng"
REPORT_FRAME = ROOT / "captures" / "report-frame-1193.pcapng"

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}
OTHER = {"client": "server", "server": "client"}
SHORTEST_FRAME = 60  # bytes; Ethernet pads shorter ones (IEEE 802.3, without the check sequence)
CHATTER = (
    "hello there can you read this line or not maybe the byte stream has no edges at all naïve ☕ exam room"
)


@dataclass
class Case:
    """A capture to ask questions about: where it comes from, and what ``lab.dissect`` says about it."""

    name: str
    data: bytes  # the capture file
    path: Path | None = None  # where it is, if it is a recording that ships

    @cached_property
    def segments(self) -> Segments:
        return read_segments(parse_capture(self.data, self.name))

    @cached_property
    def flows(self) -> list[Flow]:
        return find_flows(self.segments)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every TCP segment, as the exercises receive it."""
        segments = self.segments
        return [
            {
                "frame": int(segments.number[i]),
                "time_us": int(segments.time_ns[i] - segments.time_ns[0]) // 1000,
                "source": "{}:{}".format(*segments.endpoint(i)),
                "destination": "{}:{}".format(*segments.endpoint(i, destination=True)),
                "seq": int(segments.seq[i]),
                "ack": int(segments.ack[i]),
                "flags": {name for name, bit in FLAGS.items() if int(segments.flags[i]) & bit},
                "window": int(segments.window[i]),
                "payload": bytes(segments.payload(i)),
            }
            for i in range(len(segments))
        ]

    def frame(self, number: int) -> bytes:
        return bytes(self.segments.capture.frame(number))

    def side(self, stream: Stream) -> list[dict[str, Any]]:
        """Return the rows of one direction."""
        return [self.rows[row] for row in stream.rows.tolist()]


@cache
def shipped(path: Path) -> Case:
    """Return a recording that ships with the kit. Raise CaptureError if it is damaged."""
    read_capture(path)
    return Case(f"the recording {path.relative_to(ROOT).as_posix()}", path.read_bytes(), path)


@lru_cache(maxsize=128)
def made_up(name: str, data: bytes) -> Case:
    """Return a made-up case, the same one for every student of a grader: its segments cost more than its frames."""
    return Case(name, data)


@dataclass
class Tape:
    """The frames of a made-up capture, in order, with their times."""

    dice: random.Random
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    now_us: int = 1_700_000_000_000_000

    def wait(self, microseconds: int) -> None:
        self.now_us += microseconds

    def add(self, frame: bytes) -> int:
        """Record a frame now and return its number."""
        self.wait(self.dice.randrange(20, 900))
        self.frames.append((self.now_us * 1000, frame))
        return len(self.frames)

    def case(self, name: str) -> Case:
        file = io.BytesIO()
        with CaptureWriter(file, comment=f"Made up for a check, not a recording: {name}") as writer:
            writer.add_interface("made up")
            for time_ns, frame in self.frames:
                writer.write(frame, time_ns)
        return made_up(f"frames made up for this check ({name})", file.getvalue())


class Talk:
    """One TCP connection on a tape. ``who`` is "client" or "server": the side that sends."""

    def __init__(
        self,
        tape: Tape,
        client: str = "10.27.27.206",
        ports: tuple[int, int] | None = None,
        isns: tuple[int, int] | None = None,
        ip_options: bytes = b"",
        timestamps: bool = False,
    ):
        dice = self.dice = tape.dice
        self.tape, self.ip_options, self.timestamps = tape, ip_options, timestamps
        self.address = {"client": client, "server": "10.27.27.131"}
        ports = ports or (dice.randrange(40_000, 65_000), 9898)
        self.port = dict(zip(OTHER, ports, strict=True))
        isns = isns or (dice.randrange(1 << 32), dice.randrange(1 << 32))
        self.isn = dict(zip(OTHER, isns, strict=True))
        self.mac = {who: bytes([2, *dice.randbytes(5)]) for who in OTHER}
        self.sent = {"client": 1, "server": 1}  # the next number of each side, the SYN counted
        self.acknowledged = {"client": 1, "server": 1}  # by each side

    def segment(
        self, who: str, flags: str, seq: int, ack: int | None, payload: bytes = b"", window: int = 502
    ) -> int:
        """Write any segment and return its frame number. ``seq`` and ``ack`` are offsets."""
        other = OTHER[who]
        options = b""
        if "SYN" in flags:
            options = bytes([2, 4, 5, 180, 1, 3, 3, 7, 1, 1, 4, 2])
        elif self.timestamps:
            options = bytes([1, 1, 8, 10]) + self.dice.randbytes(8)
        ports = struct.pack(">HH", self.port[who], self.port[other])
        seq = (self.isn[who] + seq) % (1 << 32)
        ack = 0 if ack is None else (self.isn[other] + ack) % (1 << 32)
        length, bits = (20 + len(options)) // 4 << 4, sum(FLAGS[name] for name in flags.split())
        segment = ports + struct.pack(">IIBBHHH", seq, ack, length, bits, window, 0, 0) + options + payload
        source, destination = (ipaddress.ip_address(self.address[side]).packed for side in (who, other))
        pseudo = pseudo_header(source, destination, NUMBERS["tcp"], len(segment))
        segment = segment[:16] + _checksum(pseudo + segment) + segment[18:]
        return self.tape.add(self._frame(who, source + destination, segment))

    def _frame(self, who: str, addresses: bytes, segment: bytes) -> bytes:
        words = (20 + len(self.ip_options)) // 4
        length, identification = words * 4 + len(segment), self.dice.randrange(1 << 16)
        header = struct.pack(">BBHHHBBH", 0x40 | words, 0, length, identification, 0x4000, 64, 6, 0)
        header += addresses + self.ip_options
        packet = header[:10] + _checksum(header) + header[12:] + segment
        frame = self.mac[OTHER[who]] + self.mac[who] + b"\x08\x00" + packet
        return frame.ljust(SHORTEST_FRAME, b"\0")

    def open(self) -> "Talk":
        self.segment("client", "SYN", 0, None, window=64240)
        self.segment("server", "SYN ACK", 0, 1, window=64240)
        self.segment("client", "ACK", 1, 1)
        return self

    def say(self, who: str, payload: bytes, lost: bool = False) -> int:
        """Send the next bytes of one side. If ``lost`` before the capture point, only the numbers advance."""
        seq, self.sent[who] = self.sent[who], self.sent[who] + len(payload)
        return 0 if lost else self.again(who, seq, payload)

    def again(self, who: str, seq: int, payload: bytes) -> int:
        """Send bytes at an offset of the stream, whether they were sent before or not."""
        return self.segment(who, "PSH ACK", seq, self.acknowledged[who], payload)

    def acknowledge(self, who: str, up_to: int | None = None) -> int:
        """Acknowledge, without data, everything the other side has sent, or up to an offset of its stream."""
        self.acknowledged[who] = self.sent[OTHER[who]] if up_to is None else up_to
        return self.segment(who, "ACK", self.sent[who], self.acknowledged[who])

    def close(self) -> None:
        for who, other in OTHER.items():
            self.segment(who, "FIN ACK", self.sent[who], self.sent[other])
            self.sent[who] += 1
        self.segment("client", "ACK", self.sent["client"], self.sent["server"])


def _checksum(data: bytes) -> bytes:
    return (~ones_sum(data) & 0xFFFF).to_bytes(2, "big")


def line(dice: random.Random, longest: int = 6) -> str:
    """Return a random line of chat."""
    return " ".join(dice.choice(CHATTER.split()) for _ in range(dice.randint(1, longest)))


def near_wrap(dice: random.Random, before: int = 60) -> int:
    """Return an initial sequence number from which a few bytes wrap around 2**32."""
    return (1 << 32) - dice.randrange(2, before)
