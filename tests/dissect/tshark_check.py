"""Check against tshark: its events and its streams held against this kit's."""

import re

from lab.dissect import oracle
from lab.dissect.tcp.analysis import LABELS
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.streams import Stream

EVENT_FIELDS = [
    *(f"tcp.analysis.{name}" for name in LABELS),
    *("tcp.analysis.duplicate_ack_frame", "tcp.analysis.duplicate_ack_num", "_ws.col.Info"),
]


def tshark_pdml(path, preferences: tuple[str, ...] = ()) -> bytes:
    """Return Wireshark's whole field tree of each frame, as PDML (XML)."""
    chosen = [word for preference in preferences for word in ("-o", preference)]
    return oracle.run_tshark(["-r", str(path), "-T", "pdml", *chosen])


def check_events(segments, flows: list[Flow], fields: dict[int, dict[str, str]]) -> set[str]:
    """Judgements named as tshark names them, but for two things in which it is followed no further.

    It gives no judgement where it stumbles over options that were cut off. And it keeps "the last ACK was
    of a segment I never saw" as a count of -1 in an unsigned byte, and then takes 255 duplicate ACKs for
    granted: its "fast retransmission" behind such an ACK is one that nobody asked for. Gives the names that
    occurred.
    """
    row_of = {number: i for i, number in enumerate(segments.number.tolist())}
    ours = {}
    for flow in flows:
        for event in flow.events:
            ours.setdefault(event.number, {})[event.name] = event.detail
    seen = set()
    for number, theirs in fields.items():
        if segments.options_cut[row_of[number]]:
            continue
        names = {name for name in LABELS if theirs[f"tcp.analysis.{name}"]}
        mine = set(ours.get(number, {}))
        if mine & {"fast_retransmission", "spurious_retransmission"}:
            mine.add("retransmission")  # tshark sets the general field beside the special one
        if "fast_retransmission" in names - mine:
            flow = flows[segments.flow[row_of[number]]]
            before = [event for event in flow.events if event.number < number]
            assert any(event.name == "ack_lost_segment" for event in before), number
            assert mine & {"out_of_order", "retransmission"}
            continue
        assert mine == names, (number, fields[number]["_ws.col.Info"])
        seen |= mine
        if "duplicate_ack" in mine:
            detail = (
                theirs["tcp.analysis.duplicate_ack_frame"] + "#" + theirs["tcp.analysis.duplicate_ack_num"]
            )
            assert ours[number]["duplicate_ack"] == detail
    return seen


MARKER = re.compile(rb"\[(\d+) bytes missing in capture file\]\0?")


def spread(stream: Stream) -> list[tuple[int, bytes]]:
    """(place in the sender's stream, bytes) of each run, so that gaps take up room."""
    gaps, place, runs = {gap.offset: gap.length for gap in stream.gaps}, 0, []
    for start, end in stream.runs():
        place += gaps.get(start, 0)
        runs.append((place, stream.data[start:end]))
        place += end - start
    return runs


def check_stream(stream: Stream, theirs: bytes, what) -> None:
    """Compare ``theirs``, with its sentences about missing bytes, against ours with its gaps.

    tshark gives a gap up once it has been acknowledged, and then drops what a late retransmission brings;
    here such bytes are shown. And it shows nothing behind a gap that was never acknowledged. All other
    bytes must be equal.
    """
    ours = bytearray()
    held = bytearray()  # 1 for each byte that we have
    for place, run in spread(stream):
        ours += b"\0" * (place - len(ours)) + run
        held += b"\0" * (place - len(held)) + b"\1" * len(run)
    place = 0
    parts = MARKER.split(theirs)
    for part, missing in zip(parts[::2], [*map(int, parts[1::2]), 0], strict=True):
        assert ours[place : place + len(part)] == part, what
        assert all(held[place : place + len(part)]), what
        place += len(part) + missing
    if place < len(held):
        assert not held[place], (what, "bytes that tshark has not, and no gap before them")


def check_streams(path, segments, flows: list[Flow]) -> int:
    """Check every stream of ``flows`` as ``check_stream`` does; return how many bytes there were."""
    return compare_streams(oracle.tshark_streams(path, [flow.number for flow in flows]), segments, flows)


def compare_streams(theirs: dict[int, tuple[bytes, bytes]], segments, flows: list[Flow]) -> int:
    """Check streams as ``check_streams`` does against those that tshark has shown already."""
    compared = 0
    for flow in flows:
        streams = [flow.from_initiator, flow.from_responder]
        first = segments.direction[flow.rows[0]]  # tshark puts the sender of the first segment first
        streams.sort(key=lambda one: len(one.rows) == 0 or segments.direction[one.rows[0]] != first)
        for stream, bytes_of_tshark in zip(streams, theirs.get(flow.number, (b"", b"")), strict=True):
            check_stream(stream, bytes_of_tshark, flow)
            compared += len(stream)
    return compared
