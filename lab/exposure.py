"""What an eavesdropper learns from a recording, and how much of it is true.

``eavesdrop`` gets a capture file and nothing else: no keys, no manifest. It puts every stream together and reads it
with **the same receiver as the chat server** (``lab.chat.wire``), one segment's bytes for one read. What it meets under
TLS it counts and cannot read. ``score`` then holds what it claims against the manifest, which is the truth: how much
was recovered, exactly right, of how much there was, and how much of what it claims was never said.

    class      what is counted                                         right when
    names      users of the session                                    the name is exactly the same
    lines      lines said                                              speaker and text are, as often as said
    bytes      bytes of these lines                                    they belong to a line that is right
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lab.chat import wire
from lab.dissect.flows import Flow, find_flows
from lab.dissect.records import read_records
from lab.dissect.segments import read_segments

HANDSHAKE, APPLICATION_DATA = 22, 23  # content types of TLS records (RFC 8446 section 5.1)
SERVER_HELLO = 2


@dataclass(frozen=True)
class Heard:
    """One payload on its way to the server. ``text`` is None where it could not be read."""

    frame: int
    time_ns: int
    who: str
    kind: str  # name, command, line or ciphertext
    text: str | None
    payload: bytes


@dataclass
class Overheard:
    """All that an eavesdropper has of one capture."""

    heard: list[Heard] = field(default_factory=list)
    tls_version: str | None = None
    carried_bytes: int = 0  # payload of all segments, both directions

    @property
    def names(self) -> list[str]:
        return [item.text for item in self.heard if item.kind == "name"]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(who, text) of every line read, in order of time."""
        return [(item.who, item.text) for item in self.heard if item.kind == "line"]


@dataclass(frozen=True)
class Score:
    """``right`` of ``total`` were recovered exactly; ``wrong`` more were claimed and are not true."""

    kind: str
    right: int
    wrong: int
    total: int

    @property
    def share(self) -> float:
        """Recovered share of what there was, 0 to 1 (the field calls it recall)."""
        return self.right / self.total if self.total else 0.0


def eavesdrop(path: Path | str) -> Overheard:
    """Read a capture as an eavesdropper does. Raises ``lab.dissect.capture_file.CaptureError`` for a bad file."""
    found = Overheard()
    segments = read_segments(path)
    for flow in find_flows(segments):
        found.carried_bytes += len(flow.from_initiator) + len(flow.from_responder)
        records = read_records(flow.from_initiator)
        if records:
            version = _negotiated_version(flow)
            found.tls_version = version or found.tls_version
            found.heard += [
                Heard(record.frame_number, record.time_ns, str(flow.initiator), "ciphertext", None, record.payload)
                for record in records
                if record.content_type == APPLICATION_DATA
            ]
        else:
            found.heard += _read_plaintext(flow)
    found.heard.sort(key=lambda item: (item.time_ns, item.frame))
    return found


def _read_plaintext(flow: Flow) -> list[Heard]:
    """One flow's way to the server, read as the server reads it."""
    heard = []
    stream = flow.from_initiator
    who = str(flow.initiator)
    for piece in stream.pieces:
        read = stream.data[piece.offset : piece.offset + piece.length]
        try:
            request = wire.read_request(read, first=piece.offset == 0)
        except wire.WireError:
            request = wire.Say(read.decode(errors="replace"))
        match request:
            case wire.Join(name):
                kind, who, text = "name", name, name
            case wire.Say(text):
                kind = "line"
            case _:
                kind, text = "command", read.decode()
        heard.append(Heard(piece.frame_number, piece.time_ns, who, kind, text, read))
    return heard


def _negotiated_version(flow: Flow) -> str | None:
    """ "TLS 1.2" or "TLS 1.3" as the ServerHello says it: 1.3 hides behind 1.2 and adds an extension
    (supported_versions, number 43, RFC 8446 section 4.2.1)."""
    for record in read_records(flow.from_responder):
        if record.content_type == HANDSHAKE and record.payload[:1] == bytes([SERVER_HELLO]):
            return "TLS 1.3" if b"\x00\x2b\x00\x02\x03\x04" in record.payload else "TLS 1.2"
    return None


def score(overheard: Overheard, recording: dict) -> list[Score]:
    """One Score a class, against a recording's entry of the manifest (see ``lab.room.record``)."""
    names = Counter(user["name"] for user in recording["users"])
    said = Counter((event["who"], event["text"]) for event in recording["events"] if event["action"] == "say")
    claimed_names, claimed_lines = Counter(overheard.names), Counter(overheard.lines)
    right_names, right_lines = names & claimed_names, said & claimed_lines  # the smaller count of each
    return [
        Score("names", right_names.total(), (claimed_names - names).total(), names.total()),
        Score("lines", right_lines.total(), (claimed_lines - said).total(), said.total()),
        Score("bytes", _bytes(right_lines), _bytes(claimed_lines - said), _bytes(said)),
    ]


def _bytes(lines: Counter) -> int:
    return sum(len(text.encode()) * times for (_, text), times in lines.items())
