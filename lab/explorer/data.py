"""One capture as plain data, for the explorer's script.

What repeats is stored once (``book``). The bytes of all frames are one run in base64. ``inner`` holds in plaintext what
the keys open; "locked" only hides it.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from lab.dissect import dissect_frame, find_flows, open_flow, read_segments
from lab.dissect.fields.tree import Field
from lab.dissect.files.capture import Capture
from lab.dissect.files.capture_file import read_frames
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import Segments
from lab.dissect.text import printable
from lab.explorer.book import LONGEST_TEXT, Book, Data
from lab.explorer.tls_data import tls_data
from lab.explorer.tour import make_tour
from lab.exposure import Intercept, eavesdrop_flows
from lab.exposure.chat_fields import name_parts


@dataclass
class Source:
    """A capture file, read once for everything that is shown of it."""

    path: Path
    segments: Segments
    flows: list[Flow]
    intercept: Intercept


def read_source(path: str | PathLike[str]) -> Source:
    """Read a capture file. Raises CaptureError or OSError."""
    return source_of(Path(path), read_frames(path))


def source_of(path: Path, capture: Capture) -> Source:
    segments = read_segments(capture)
    flows = find_flows(segments)
    return Source(path, segments, flows, eavesdrop_flows(flows))


def captures_data(sources: Iterable[tuple[Source, str]], key_logs: tuple[bytes, ...] = ()) -> list[Data]:
    """Return the data of some captures, each under a label; a note says so if the keys open nothing in any of them."""
    data = [capture_data(source, label, key_logs) for source, label in sources]
    if key_logs and not any(one["inner"] for one in data):
        data[0]["notes"].append("the keys open nothing")
    return data


def capture_data(source: Source, label: str, key_logs: tuple[bytes, ...] = ()) -> Data:
    """Return everything that the explorer shows of a capture, under a label."""
    capture, flows, book = source.segments.capture, source.flows, Book()
    sessions = [open_flow(flow, key_logs) for flow in flows]
    raw = [bytes(capture.frame(number)) for number in range(1, len(capture) + 1)]
    problems = sorted({one.problem for one in sessions if one and one.problem})
    data = {
        "name": label,
        "notes": [capture.truncated, *problems] if capture.truncated else problems,
        "frames": [row | {"tree": book.tree(tree)} for row, tree in list_frames(source.segments, flows)],
        "bytes": base64.b64encode(b"".join(raw)).decode(),
        "lengths": list(map(len, raw)),
        "flows": [_flow_data(flow) for flow in flows],
        "said": _said(source.intercept, source.segments),
        "tour": make_tour(flows, source.intercept),
    }
    return data | tls_data(sessions, book) | book.lists()


def list_frames(
    segments: Segments, flows: list[Flow], first: int = 1, start_ns: int | None = None
) -> Iterator[tuple[Data, Field]]:
    """Yield the row in the frame list of each frame from ``first`` on, and its tree.

    Times count from ``start_ns``, or from the first frame. ``segment`` is None for a frame that is not TCP.
    """
    capture, judgements = segments.capture, defaultdict(list)
    since = int(capture.time_ns[0]) if start_ns is None and len(capture) else start_ns or 0
    rows = {number: row for row, number in enumerate(segments.number.tolist())}
    for flow in flows:
        for event in flow.events:
            judgements[event.number].append(event.name)
    for number in range(first, len(capture) + 1):
        tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number), name_parts)
        (sender, receiver), row = _ends_of(tree), rows.get(number)
        shown = {
            "time_us": (int(capture.time_ns[number - 1]) - since) / 1000,
            "length": int(capture.original_length[number - 1]),
            "from": sender,
            "to": receiver,
            "protocol": _protocol_of(tree),
            "info": _info_of(tree, segments, row),
            "judgements": judgements[number],
            "segment": None if row is None else _segment(segments, row),
        }
        yield shown, tree


def _segment(segments: Segments, row: int) -> dict[str, int]:
    """Return the numbers of a segment; ``start`` is where its payload begins in the frame."""
    return {
        "flow": int(segments.flow[row]),
        "seq": int(segments.relative_seq[row]),
        "ack": int(segments.relative_ack[row]),
        "length": int(segments.payload_length[row]),
        "window": int(segments.scaled_window[row]),
        "start": int(segments.payload_offset[row] - segments.capture.offset[segments.number[row] - 1]),
    }


def _ends_of(tree: Field) -> tuple[str, str]:
    """Return the innermost addresses of a frame, with ports where there are some."""
    ends = "", ""
    for protocol in tree.children:
        known = {field.key.removeprefix(f"{protocol.key}."): field for field in protocol.children}
        if "src" in known and "dst" in known:
            ends = known["src"].text, known["dst"].text
        elif "srcport" in known and "dstport" in known:
            sender, receiver = (f"[{end}]" if ":" in end else end for end in ends)
            ends = f"{sender}:{known['srcport'].value}", f"{receiver}:{known['dstport'].value}"
    return ends


def _protocol_of(tree: Field) -> str:
    names = [one.name for one in tree.children if one.name not in ("Data", "Padding")]
    return names[-1].partition(" (")[0] if names else "Data"


def _info_of(tree: Field, segments: Segments, row: int | None) -> str:
    """Return a line about a frame: what the payload says if it can be read, otherwise what the header says."""
    last = next((one for one in reversed(tree.children) if one.name != "Padding"), tree)
    if last.name.startswith("Chat"):
        return printable("".join(one.text for one in last.children)[:LONGEST_TEXT])
    if last.key == "tls":
        return ", ".join(_record_names(last))
    if last.get("arp.src.proto_ipv4"):
        return _question_of(last)
    return printable(segments.info(row)) if row is not None else last.text or last.name


def _question_of(arp: Field) -> str:
    asks, card, asked = (
        arp.find(f"arp.{what}").text for what in ("src.proto_ipv4", "src.hw_mac", "dst.proto_ipv4")
    )
    return f"{asks} is at {card}" if arp.get("arp.opcode") == 2 else f"Who has {asked}? Tell {asks}"


def _record_names(tls: Field) -> list[str]:
    messages = [one.name for record in tls.children for one in record.children if one.key == "tls.handshake"]
    return messages or [one.name for one in tls.children]


def _flow_data(flow: Flow) -> Data:
    """Return a flow's ends and what each side wrote, in stream order.

    A piece is [way, frame, first byte in it, length, bytes missing before it]; a gap at the end has frame 0.
    ``excluded`` says what was left out: [way, frame, length, reason].
    """
    segments, pieces, excluded = flow.segments, [], []
    offsets = segments.payload_offset - segments.capture.offset[segments.number - 1]
    for way, stream in enumerate((flow.from_initiator, flow.from_responder)):
        gaps = {gap.offset: gap.length for gap in stream.gaps}
        delivered = -1  # a piece that overtook others waits for them
        for piece in stream.pieces:
            delivered = max(delivered, piece.row)
            missing = gaps.pop(piece.offset, 0)
            start = int(offsets[piece.row]) + piece.start
            pieces.append([delivered, way, piece.frame_number, start, piece.length, missing])
        pieces += [[len(segments), way, 0, 0, 0, missing] for missing in gaps.values()]
        excluded += [[way, one.frame_number, one.length, one.reason] for one in stream.excluded]
    return {
        "initiator": str(flow.initiator),
        "responder": str(flow.responder),
        "closing": str(flow.closing),
        "pieces": [piece[1:] for piece in sorted(pieces, key=lambda piece: piece[0])],
        "excluded": excluded,
    }


def _said(intercept: Intercept, segments: Segments) -> list[Data]:
    """Return the lines of the conversation, read or not, and the frames in which the copies left the server.

    A copy is the first payload to a recipient that follows the line: the best guess when nothing can be read.
    """
    payloads: dict[str, list[tuple[int, int]]] = defaultdict(list)  # by receiver: (time, frame)
    for row in (segments.payload_length > 0).nonzero()[0].tolist():
        to = str(segments.endpoint(row, destination=True))
        payloads[to].append((int(segments.time_ns[row]), int(segments.number[row])))
    for times in payloads.values():
        times.sort()  # in a file they may run backwards
    found = []
    for message in intercept.said:
        copies: list[int] = []
        for to in message.recipients:
            place = bisect_right(payloads[to], (message.time_ns, message.frame))
            copies += [frame for _, frame in payloads[to][place : place + 1]]
        text = None if message.text is None else printable(message.text)
        line = {"frame": message.frame, "who": printable(message.who or message.endpoint), "text": text}
        found.append(line | {"length": message.length, "copies": copies})
    return found
