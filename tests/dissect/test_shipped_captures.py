"""The recordings that ship with the kit, among them loss, reordering and zero windows: all rows, events and
streams equal tshark's, and every TLS session opens with its keys as it does there.
"""

import pytest

from lab.dissect import oracle
from lab.dissect.tcp.decoding import CUT
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls.session import open_flow
from tests.dissect.tshark_check import EVENT_FIELDS, check_events, check_streams
from tests.support import CAPTURES, some_of

OWN = ("demo", "mine")  # made by whoever uses this checkout
FILES = [
    path
    for path in sorted(CAPTURES.rglob("*.pcap*"))
    if path.relative_to(CAPTURES).parts[0] not in OWN and path.is_file()
]

pytestmark = [
    pytest.mark.tshark,
    pytest.mark.skipif(not FILES, reason="this checkout has no captures"),
    pytest.mark.parametrize(
        "path", some_of(FILES, every=6), ids=lambda path: str(path.relative_to(CAPTURES))
    ),
]


def test_rows_and_events(path):
    segments = read_segments(path)
    assert len(segments) > 0 and segments.capture.truncated is None
    assert oracle.compare(path) == []
    lines = oracle.tshark_fields(path, ["frame.number", *EVENT_FIELDS], "tcp.seq_raw", oracle.NO_FRAGMENTS)
    fields = {int(number): dict(zip(EVENT_FIELDS, line, strict=True)) for number, *line in lines}
    assert len(fields) == len(segments)
    seen = check_events(segments, find_flows(segments), fields)
    if path.stem.startswith("zero-window"):
        assert "zero_window" in seen
    if path.stem.startswith("loss"):
        assert seen & {"retransmission", "fast_retransmission", "out_of_order"}


def test_streams(path):
    segments = read_segments(path)
    flows = find_flows(segments)
    assert not (segments.notes & CUT).any()
    assert check_streams(path, segments, flows) == sum(
        len(stream) for flow in flows for stream in (flow.from_initiator, flow.from_responder)
    )


def test_sessions(path):
    keys = path.with_suffix(".keys")
    segments = read_segments(path)
    sessions = [
        open_flow(flow, [keys.read_bytes()] if keys.exists() else []) for flow in find_flows(segments)
    ]
    opened = [one for one in sessions if one is not None]
    if "tls1" in path.stem:
        assert opened and len(opened) == len(sessions)
    if not opened or not (keys.exists() or segments.capture.secrets):
        return
    for session in opened:
        assert session.problem is None, session.flow
        assert sum(message.name == "Finished" for message in session.messages) == 2
    chosen = (f"tls.keylog_file:{keys}",) if keys.exists() else ()
    lines = oracle.tshark_fields(path, ["frame.number", "tls.handshake.type"], "tls.handshake.type", chosen)
    theirs = sorted((int(number), int(kind)) for number, kinds in lines for kind in kinds.split(","))
    assert theirs == sorted((one.frame_number, one.kind) for session in opened for one in session.messages)
