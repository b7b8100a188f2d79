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

END_NAMES = {
    **dict.fromkeys(("eth", "ip", "ipv6"), ("src", "dst")),
    **dict.fromkeys(("tcp", "udp"), ("srcport", "dstport")),
}


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
        "frames": _frames(source.segments, book),
        "bytes": base64.b64encode(b"".join(raw)).decode(),
        "lengths": list(map(len, raw)),
        "analysis": judgements_of(flows),
        "flows": [_flow_data(flow) for flow in flows],
        "said": _said(source.intercept, source.segments),
        "tour": make_tour(flows, source.intercept),
    }
    return data | tls_data(sessions, book) | book.lists()


def _frames(segments: Segments, book: Book) -> Data:
    """Return the frame list as columns; ``row`` has the numbers of a segment."""
    columns: Data = defaultdict(list)
    for shown, tree, row in list_frames(segments):
        for column, value in shown.items():
            columns[column].append(book.word(value) if isinstance(value, str) else value)
        columns["tree"].append(book.tree(tree))
        columns["row"].append(None if row is None else _segment(segments, row))
    return dict(columns)


def list_frames(
    segments: Segments, first: int = 1, start_ns: int | None = None
) -> Iterator[tuple[Data, Field, int | None]]:
    """Yield what the list shows of each frame from ``first`` on, its tree, and its row among the segments.

    Times count from ``start_ns``, or from the first frame.
    """
    capture = segments.capture
    rows = {number: row for row, number in enumerate(segments.number.tolist())}
    for number in range(first, len(capture) + 1):
        tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number), name_parts)
        (sender, receiver), row = _ends_of(tree), rows.get(number)
        since = int(capture.time_ns[0]) if start_ns is None else start_ns
        shown = {
            "time_us": (int(capture.time_ns[number - 1]) - since) / 1000,
            "length": int(capture.original_length[number - 1]),
            "from": sender,
            "to": receiver,
            "protocol": _protocol_of(tree),
            "info": _info_of(tree, segments, row),
        }
        yield shown, tree, row


def _segment(segments: Segments, row: int) -> list[int]:
    start = segments.payload_offset[row] - segments.capture.offset[segments.number[row] - 1]
    numbers = (segments.relative_seq, segments.relative_ack, segments.payload_length, segments.scaled_window)
    return [int(segments.flow[row]), *(int(column[row]) for column in numbers), int(start)]


def _ends_of(tree: Field) -> tuple[str, str]:
    """Return the innermost addresses of a frame, with ports where there are some."""
    ends = ["", ""]
    for protocol in tree.children:
        keys = [f"{protocol.key}.{end}" for end in END_NAMES.get(protocol.key, ())]
        known = {field.key: field for field in protocol.children}
        if not keys or any(key not in known for key in keys):
            continue  # no addresses, or the frame was cut off before them
        found = [known[key] for key in keys]
        if protocol.key in ("tcp", "udp"):
            hosts = (f"[{end}]" if ":" in end else end for end in ends)
            ends = [f"{host}:{port.value}" for host, port in zip(hosts, found, strict=True)]
        else:
            ends = [field.text for field in found]
    return ends[0], ends[1]


def _protocol_of(tree: Field) -> str:
    names = [one.name for one in tree.children if one.name not in ("Data", "Padding")]
    return names[-1].partition(" (")[0] if names else "Data"


def _info_of(tree: Field, segments: Segments, row: int | None) -> str:
    """Return a line about a frame: what the payload says if it can be read, otherwise what the header says."""
    last = next((one for one in reversed(tree.children) if one.name != "Padding"), tree)
    if last.name.startswith("Chat"):
        return printable(" | ".join(one.text for one in last.children)[:LONGEST_TEXT])
    if last.key == "tls":
        return ", ".join(_record_names(last))
    return printable(segments.info(row)) if row is not None else last.text or last.name


def _record_names(tls: Field) -> list[str]:
    messages = [one.name for record in tls.children for one in record.children if one.key == "tls.handshake"]
    return messages or [one.name for one in tls.children]


def judgements_of(flows: list[Flow]) -> dict[str, list[str]]:
    """Return Wireshark's judgements by the frame's number: ``retransmission``, ``duplicate_ack``, ..."""
    found: dict[str, list[str]] = defaultdict(list)
    for flow in flows:
        for event in flow.events:
            found[str(event.number)].append(event.name)
    return found


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
