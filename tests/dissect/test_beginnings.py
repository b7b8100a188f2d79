"""Where a stream begins, and that no byte of a capture is lost in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.dissect import oracle
from lab.dissect.files.capture_file import parse_capture
from lab.dissect.tcp.flows import find_flow, find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tcp.streams import BEFORE_BEGINNING, CONFLICT, DUPLICATE
from tests.dissect import packets
from tests.dissect.frames import frame, some
from tests.dissect.packets import ACK, FIN, PSH, RST, SYN
from tests.dissect.refused import Refused
from tests.dissect.tshark_check import EVENT_FIELDS, MARKER, check_events

GIB = 1 << 30
SEEDS = 300


def segments_of(*frames):
    timed = [(10**18 + i * 10**7, one, len(one)) for i, one in enumerate(frames)]
    return read_segments(parse_capture(packets.pcap(timed)))


def only_flow(*frames):
    segments = segments_of(*frames)
    assert segments.flow_count == 1
    flow = find_flows(segments)[0]
    alone = find_flow(segments, 0)
    for one, other in (
        (flow.from_initiator, alone.from_initiator),
        (flow.from_responder, alone.from_responder),
    ):
        assert (one.data, one.gaps, one.excluded) == (other.data, other.gaps, other.excluded)
    return flow


def accepted(server: int, client: int = 100):
    return [
        frame(0, client, 0, SYN),
        frame(1, server, client + 1, SYN | ACK),
        frame(0, client + 1, server + 1, ACK),
        frame(0, client + 1, server + 1, PSH | ACK, b"hello"),
        frame(1, server + 1, client + 6, PSH | ACK, b"world"),
    ]


REFUSED = [frame(0, 100, 0, SYN), frame(1, 0, 101, RST | ACK)]


@pytest.mark.parametrize("server", [5000, 3 * GIB, 2**32 - 3])
def test_refused_first_and_then_accepted(server):
    """With a number near 0 there was a gap of so many bytes; with one above 2 GiB all text was gone."""
    end = [frame(0, 106, server + 6, FIN | ACK), frame(1, server + 6, 107, FIN | ACK)]
    flow = only_flow(*REFUSED, *accepted(server), *end)
    for stream, text in ((flow.from_initiator, b"hello"), (flow.from_responder, b"world")):
        assert (stream.data, stream.gaps, stream.excluded) == (text, [], [])
    assert (flow.handshake.syn, flow.handshake.syn_ack, flow.handshake.ack) == (3, 4, 5)
    assert [(event.number, event.name) for event in flow.events] == [
        (3, "retransmission"),
        (4, "reused_ports"),
    ]
    assert flow.closing == "closed: FIN from 10.0.0.1:1111 (frame 8), then from 10.0.0.2:9898 (frame 9)"


def test_a_stray_acknowledgement_is_not_a_beginning():
    stray = frame(1, 900_000, 77, ACK)
    assert only_flow(stray, *accepted(5000)[1:]).from_responder.data == b"world"
    far = only_flow(frame(0, 2 * GIB, 1, ACK), frame(0, 101, 1, ACK, b"no SYN"))
    assert (far.from_initiator.data, far.from_initiator.gaps) == (b"no SYN", [])
    near = only_flow(frame(0, 101, 1, ACK), frame(0, 105, 1, ACK, b"late")).from_initiator
    assert [(gap.offset, gap.length) for gap in near.gaps] == [(0, 4)]


def test_a_syn_ack_behind_the_data():
    shuffled = only_flow(
        frame(1, 5006, 101, ACK, b"world"), frame(1, 5001, 101, ACK, b"hello"), frame(1, 5000, 101, SYN | ACK)
    )
    assert shuffled.from_responder.data == b"helloworld" and not shuffled.from_responder.gaps


def test_of_several_syn_acks_the_one_that_the_payload_follows():
    syn, syn_ack, *rest = accepted(5000)
    spoofed = frame(1, 9_000_000, 101, SYN | ACK)
    for opening in ((syn_ack, spoofed), (spoofed, syn_ack), (syn_ack, spoofed, syn_ack)):
        flow = only_flow(syn, *opening, *rest)
        assert flow.from_responder.data == b"world" and not flow.from_responder.excluded
        assert flow.handshake.syn_ack == 2 + opening.index(syn_ack) and flow.handshake.responder_isn == 5000
    lost = only_flow(syn, syn_ack, spoofed, frame(1, 9_000_011, 101, ACK, b"world"))
    assert [(gap.offset, gap.length) for gap in lost.from_responder.gaps] == [(0, 10)]


def test_what_is_not_in_a_stream_is_listed():
    flow = only_flow(
        *accepted(5000),
        frame(1, 4990, 106, ACK, b"before"),
        frame(1, 4999, 106, ACK, b"xxworld!"),
        frame(1, 5001, 106, ACK, b"wORLd"),
        frame(1, 5001 + 3 * GIB, 106, ACK, b"far"),
        frame(1, 5003, 106, ACK, b"rld!!"),
    )
    stream = flow.from_responder
    assert stream.data == b"world!!"
    assert [(one.frame_number, one.start, one.length, one.reason) for one in stream.excluded] == [
        (6, 0, 6, BEFORE_BEGINNING),
        (7, 0, 2, BEFORE_BEGINNING),
        (7, 2, 5, DUPLICATE),
        (8, 0, 5, CONFLICT),
        (9, 0, 3, BEFORE_BEGINNING),
        (10, 0, 4, DUPLICATE),
    ]


CLOSINGS = {
    "closed: FIN from 10.0.0.1:1111 (frame 6), then from 10.0.0.2:9898 (frame 7), then RST (frame 8)": (
        *((0, FIN | ACK), (1, FIN | ACK), (0, RST)),
    ),
    "closed: FIN from 10.0.0.2:9898 (frame 7), then from 10.0.0.1:1111 (frame 8), RST before (frame 6)": (
        *((1, RST), (1, FIN | ACK), (0, FIN | ACK)),
    ),
    "reset: RST from 10.0.0.2:9898 (frame 7) after FIN from 10.0.0.1:1111 (frame 6)": (
        (0, FIN | ACK),
        (1, RST),
    ),
    "reset: RST from 10.0.0.2:9898 (frame 6) before FIN from 10.0.0.1:1111 (frame 7)": (
        (1, RST),
        (0, FIN | ACK),
    ),
    "half-closed: FIN from 10.0.0.1:1111 only (frame 6)": ((0, FIN | ACK),),
    "still open when the capture ends": (),
}


@pytest.mark.parametrize("closing", CLOSINGS)
def test_closings_in_their_order(closing):
    ends = [frame(who, (106, 5006)[who], (5006, 106)[who], flags) for who, flags in CLOSINGS[closing]]
    assert only_flow(*accepted(5000), *ends).closing == closing


def test_a_reset_from_before_the_handshake_does_not_close():
    assert only_flow(*REFUSED).closing == "reset: RST from 10.0.0.2:9898 (frame 2)"
    assert only_flow(*REFUSED, *accepted(5000)).closing == "still open when the capture ends"


def test_everything_that_was_sent_is_there_whatever_misleads():
    for seed in range(SEEDS):
        made = Refused(seed)
        segments = read_segments(parse_capture(packets.pcap(made.frames, nanoseconds=True)))
        flow = find_flows(segments)[-1]
        streams = flow.from_initiator, flow.from_responder
        assert [one.data for one in streams] == made.sent, seed
        assert not any(one.gaps or one.excluded for one in streams), seed


@pytest.mark.tshark
def test_judged_as_tshark_judges(tmp_path):
    """Rows, events and text; where tshark's text is another, it is shorter: a SYN-ACK misled it."""
    made = [Refused(seed) for seed in range(SEEDS)]
    path = tmp_path / "refused.pcap"
    path.write_bytes(packets.pcap([one for each in made for one in each.frames], nanoseconds=True))
    assert oracle.compare(path) == []
    segments = read_segments(path)
    flows = find_flows(segments)
    lines = oracle.tshark_fields(path, ["frame.number", *EVENT_FIELDS], "tcp.seq_raw")
    fields = {int(line[0]): dict(zip(EVENT_FIELDS, line[1:], strict=True)) for line in lines}
    seen = check_events(segments, flows, fields)
    assert {"retransmission", "reused_ports", "lost_segment", "ack_lost_segment"} <= seen
    theirs = oracle.tshark_streams(path, [flow.number for flow in flows])
    equal = 0
    for flow in flows:
        ours = sorted((flow.from_initiator.data, flow.from_responder.data))
        texts = sorted(MARKER.sub(b"", text) for text in theirs.get(flow.number, (b"", b"")))
        assert sum(map(len, texts)) <= sum(map(len, ours)), flow
        equal += texts == ours
    assert equal > 0.95 * len(flows), (equal, len(flows))


@some
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0, 1, 2, 5, 9, 2**31 - 1, 2**31, 3 * GIB, 2**32 - 4]),
            st.sampled_from([SYN, SYN | ACK, ACK, ACK, PSH | ACK, RST, RST | ACK, FIN | ACK]),
            st.binary(max_size=6),
        ),
        max_size=14,
    )
)
def test_every_payload_byte_is_in_a_stream_or_listed(what):
    segments = segments_of(*(frame(who, seq, 3, flags, payload) for who, seq, flags, payload in what))
    flows = find_flows(segments)
    for flow in flows:
        alone = find_flow(segments, flow.number)
        for stream, other in (
            (flow.from_initiator, alone.from_initiator),
            (flow.from_responder, alone.from_responder),
        ):
            assert (stream.data, stream.gaps, stream.excluded) == (other.data, other.gaps, other.excluded)
            parts = {row: [] for row in stream.rows.tolist()}
            for one in stream.excluded:
                parts[one.row].append(
                    (one.start, bytes(segments.payload(one.row))[one.start :][: one.length])
                )
            for piece in stream.pieces:
                start = segments.payload_captured[piece.row] - piece.length
                parts[piece.row].append((start, stream.data[piece.offset :][: piece.length]))
            for row, found in parts.items():
                found.sort()
                assert b"".join(text for _, text in found) == bytes(segments.payload(row))
                assert [start for start, _ in found] == [
                    sum(len(text) for _, text in found[:i]) for i in range(len(found))
                ]
    assert sum(len(flow.rows) for flow in flows) == len(segments)
