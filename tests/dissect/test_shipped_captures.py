"""The recordings that ship with the kit, among them loss, reordering and zero windows: all rows, events and
streams equal tshark's, and every TLS session opens with its keys as it does there.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from lab.dissect import oracle
from lab.dissect.tcp.decoding import CUT
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import Segments, read_segments
from lab.dissect.tls.session import open_flow
from tests.dissect.tshark_check import EVENT_FIELDS, check_events, compare_streams
from tests.support import CAPTURES, some_of

OWN = ("demo", "mine")  # made by whoever uses this checkout
FILES = [
    path
    for path in sorted(CAPTURES.rglob("*.pcap*"))
    if path.relative_to(CAPTURES).parts[0] not in OWN and path.is_file()
]
FIELDS = (*oracle.FIELDS.values(), "tls.handshake.type", *EVENT_FIELDS)

pytestmark = [
    pytest.mark.tshark,
    pytest.mark.skipif(not FILES, reason="this checkout has no captures"),
]


class Shipped(NamedTuple):
    """A recording as this kit reads it; and what tshark says of it, with its keys, in one run."""

    path: Path
    keys: list[bytes]
    segments: Segments
    flows: list[Flow]
    rows: oracle.Rows
    frames: dict[int, dict[str, str]]  # by frame number: Wireshark's field, its text
    streams: dict[int, tuple[bytes, bytes]]


@pytest.fixture(
    scope="module", params=some_of(FILES, every=6), ids=lambda path: str(path.relative_to(CAPTURES))
)
def shipped(request) -> Shipped:
    path, keys = request.param, request.param.with_suffix(".keys")
    segments = read_segments(path)
    flows = find_flows(segments)
    arguments = ["-r", str(path), "-Y", "tcp.seq_raw", "-T", "fields", "-E", "separator=/t"]
    for preference in (*oracle.NO_FRAGMENTS, *([f"tls.keylog_file:{keys}"] if keys.exists() else [])):
        arguments += ["-o", preference]
    for field in FIELDS:
        arguments += ["-e", field]
    for flow in flows:
        arguments += ["-z", f"follow,tcp,raw,{flow.number}"]
    printed = oracle.run_tshark(arguments)
    lines = [line.split("\t") for line in printed.partition(b"\n=====")[0].decode().splitlines()]
    rows = oracle.read_rows([line[: len(oracle.FIELDS)] for line in lines])
    frames = [dict(zip(FIELDS, line, strict=True)) for line in lines]
    by_number = {int(frame["frame.number"]): frame for frame in frames}
    key_logs = [keys.read_bytes()] if keys.exists() else []
    return Shipped(path, key_logs, segments, flows, rows, by_number, oracle.read_streams(printed))


def test_rows_and_events(shipped):
    assert len(shipped.segments) > 0 and shipped.segments.capture.truncated is None
    assert oracle.differences("tshark", shipped.rows, oracle.our_rows(shipped.path)) == []
    assert len(shipped.frames) == len(shipped.segments)
    seen = check_events(shipped.segments, shipped.flows, shipped.frames)
    if shipped.path.stem.startswith("zero-window"):
        assert "zero_window" in seen
    if shipped.path.stem.startswith("loss"):
        assert seen & {"retransmission", "fast_retransmission", "out_of_order"}


def test_streams(shipped):
    assert not (shipped.segments.notes & CUT).any()
    assert compare_streams(shipped.streams, shipped.segments, shipped.flows) == sum(
        len(stream) for flow in shipped.flows for stream in (flow.from_initiator, flow.from_responder)
    )


def test_sessions(shipped):
    sessions = [open_flow(flow, shipped.keys) for flow in shipped.flows]
    opened = [one for one in sessions if one is not None]
    if "tls1" in shipped.path.stem:
        assert opened and len(opened) == len(sessions)
    if not opened or not (shipped.keys or shipped.segments.capture.secrets):
        return
    for session in opened:
        assert session.problem is None, session.flow
        assert sum(message.name == "Finished" for message in session.messages) == 2
    theirs = sorted(
        (number, int(kind))
        for number, frame in shipped.frames.items()
        for kind in filter(None, frame["tls.handshake.type"].split(","))
    )
    assert theirs == sorted((one.frame_number, one.kind) for session in opened for one in session.messages)
