"""Segments and flows in the cases that a random conversation does not reach; tshark is asked where it has a
word.
"""

import struct

import numpy as np
import pytest

from lab.dissect import oracle
from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import parse_capture
from lab.dissect.tcp.decoding import BAD_HEADER, CUT, FRAGMENT, NO_LENGTH
from lab.dissect.tcp.flow_numbers import FlowNumbers
from lab.dissect.tcp.flows import find_flow, find_flows
from lab.dissect.tcp.segments import ACK, FIN, RST, SYN, flag_names, read_segments
from tests.dissect import packets
from tests.dissect.frames import A, B, frame
from tests.support import FRAME_1193


def save(tmp_path, frames, step_ns=1_000_000):
    path = tmp_path / "made.pcap"
    path.write_bytes(
        packets.pcap([(i * step_ns, data, len(data)) for i, data in enumerate(frames)], nanoseconds=True)
    )
    return path


def same_as_tshark(path):
    assert oracle.compare(path) == []
    return read_segments(path)


def test_the_reports_frame():
    segments = read_segments(parse_capture(packets.pcap([(11_502_790_000, FRAME_1193, 69)])))
    assert len(segments) == 1
    assert segments.endpoint(0) == ("10.27.27.131", 9898)
    assert segments.endpoint(0, destination=True) == ("10.27.27.206", 56228)
    assert bytes(segments.payload(0)) == b"<Brandon> hello"
    assert (segments.seq[0], segments.ack[0]) == (115678202, 1745380245)
    assert segments.info(0) == "9898 → 56228 [PSH, ACK] Seq=1 Ack=1 Win=502 Len=15"


def test_table_is_a_frame_with_the_columns():
    segments = read_segments(parse_capture(packets.pcap([(11_502_790_000, FRAME_1193, 69)])))
    table = segments.table()
    assert table.index.tolist() == [1] and table.index.name == "number"
    row = table.iloc[0]
    assert (row["src"], row["dst"], row["dport"]) == ("10.27.27.131", "10.27.27.206", 56228)
    assert row["payload_length"] == 15 and row["frame_length"] == 69 and row["mss"] == -1
    empty = read_segments(parse_capture(packets.pcap([])))
    assert len(empty) == 0 and len(empty.table()) == 0 and find_flows(empty) == []


@pytest.mark.tshark
def test_ports_used_again(tmp_path):
    """A SYN with another number is a new flow; with the same number it is a retransmission, unless the flow
    was over.
    """
    frames = [
        *(
            frame(0, 100, 0, SYN),
            frame(0, 100, 0, SYN),
            frame(1, 500, 101, SYN | ACK),
            frame(0, 101, 501, ACK, b"one"),
        ),
        *(frame(0, 9000, 0, SYN), frame(1, 700, 9001, SYN | ACK), frame(0, 9001, 701, ACK, b"two")),
        *(frame(0, 104, 501, ACK, b"late"), frame(0, 9000, 0, SYN)),
        *(frame(0, 9004, 701, FIN | ACK), frame(0, 9000, 0, SYN), frame(0, 9000, 0, SYN)),
        *(frame(1, 1, 2, RST), frame(0, 9000, 0, SYN)),
    ]
    segments = same_as_tshark(save(tmp_path, frames))
    assert segments.flow.max() >= 1
    names = [event.name for flow in find_flows(segments) for event in flow.events]
    assert "reused_ports" in names


@pytest.mark.tshark
def test_syn_ack_with_another_number(tmp_path):
    frames = [
        *(frame(0, 100, 0, SYN), frame(1, 500, 101, SYN | ACK), frame(1, 900, 101, SYN | ACK)),
        *(frame(0, 101, 901, ACK, b"x"), frame(1, 901, 102, ACK, b"y"), frame(1, 501, 102, ACK, b"z")),
    ]
    same_as_tshark(save(tmp_path, frames))


@pytest.mark.tshark
def test_acknowledgement_seen_before_the_other_side(tmp_path):
    """The base of a direction that has not spoken yet is learnt from what acknowledges it."""
    frames = [
        frame(0, 77, 5000, ACK, b"abc"),
        frame(1, 5100, 80, ACK, b"z"),
        frame(1, 5000, 80, ACK, b"first"),
    ]
    same_as_tshark(save(tmp_path, frames))


@pytest.mark.tshark
def test_endpoints_that_are_one(tmp_path):
    """On loopback a program may connect to itself: both ends have the same address and port."""
    segment = packets.tcp(A, A, 9898, 9898, 5, 0, SYN)
    again = packets.tcp(A, A, 9898, 9898, 6, 6, ACK, payload=b"me")
    frames = [packets.link(1, packets.ipv4(A, A, one)) for one in (segment, again)]
    same_as_tshark(save(tmp_path, frames))


@pytest.mark.tshark
def test_addresses_are_written_as_wireshark_writes_them(tmp_path):
    sources = [
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "::ffff:0.0.0.1",
        "::0.1.0.0",
        "::255.255.0.1",
        "::1",
        "::",
        "::ffff",
    ]
    sources += [
        "64:ff9b::a00:1",
        "::ffff:0:a00:1",
        "2001:db8:0:1:1:1:1:1",
        "1:0:0:2::3",
        "1::",
        "0:0:1::",
        "::1:0:0",
    ]
    segments = [packets.tcp(one, "fd00::2", 1, 2, 3, 4, ACK) for one in sources]
    frames = [
        packets.link(1, packets.ipv6(one, "fd00::2", it)) for one, it in zip(sources, segments, strict=True)
    ]
    path = save(tmp_path, frames)
    theirs = [address for (address,) in oracle.tshark_fields(path, ["ipv6.src"])]
    found = read_segments(path)
    assert [found.endpoint(i)[0] for i in range(len(found))] == theirs
    assert [dissect_frame(one).find("ipv6.src").text for one in frames] == theirs


@pytest.mark.tshark
def test_lengths_that_lie(tmp_path):
    """IP says more or less than there is, nothing at all (segmentation offload), or the TCP header is
    bogus.
    """
    good = bytearray(frame(0, 1, 2, ACK, b"payload"))
    cases = []
    for total in (0, 19, 20, 39, 40, 41, 47, 48, 9999):
        changed = bytearray(good)
        changed[16:18] = struct.pack(">H", total)
        cases.append(bytes(changed))
    for words in range(16):
        changed = bytearray(good)
        changed[46] = words << 4
        cases.append(bytes(changed))
    for words in range(16):
        changed = bytearray(good)
        changed[14] = 0x40 | words
        cases.append(bytes(changed))
    path = save(tmp_path, cases)
    differences = oracle.compare(path)
    segments = read_segments(path)
    bogus = set(segments.number[segments.notes & BAD_HEADER != 0].tolist())
    unknown = set(segments.number[segments.notes & NO_LENGTH != 0].tolist())
    assert unknown <= bogus
    # Of a bogus header tshark shows no more than ports and numbers; we show what stands there, and mark it.
    # Where the header claims to be longer than the packet it shows the numbers as they are, not the
    # relative ones.
    for one in differences:
        assert one.number in bogus, one
        assert one.theirs is None or (one.number in unknown and one.column.startswith("relative")), one


@pytest.mark.tshark
def test_fragments_are_marked_and_not_put_together(tmp_path):
    segment = packets.tcp(A, B, 1111, 9898, 50, 60, ACK, payload=b"x" * 100)
    first = packets.link(1, packets.ipv4(A, B, segment[:64], fragment=0x2000))
    second = packets.link(1, packets.ipv4(A, B, segment[64:], fragment=64 // 8))
    v6 = packets.tcp("fd00::1", "fd00::2", 1111, 9898, 50, 60, ACK, payload=b"x" * 100)
    first6 = packets.ipv6("fd00::1", "fd00::2", v6[:64], extensions=[(44, b"\0\0\1\0\0\0\7")])
    second6 = packets.ipv6("fd00::1", "fd00::2", v6[64:], extensions=[(44, b"\0\0\x40\0\0\0\7")])
    frames = [frame(0, 40, 60, ACK, b"0123456789"), first, second]
    frames += [packets.link(1, one) for one in (first6, second6)] + [frame(1, 60, 150, ACK)]
    path = save(tmp_path, frames)
    segments = read_segments(path)
    assert segments.number.tolist() == [1, 2, 4, 6]
    assert (segments.notes & FRAGMENT != 0).tolist() == [False, True, True, False]
    differences = oracle.compare(path)
    # tshark without defragmentation does not give a fragment relative numbers; we do where they are known.
    assert {one.number for one in differences} <= {2, 4}
    assert {one.column for one in differences} <= {"relative_seq", "relative_ack", "row", "scaled_window"}


@pytest.mark.tshark
def test_tcp_header_quoted_by_icmp_is_no_segment(tmp_path):
    quoted = packets.ipv4(A, B, packets.tcp(A, B, 1111, 9898, 5, 6, SYN))
    icmp = struct.pack(">BBHI", 3, 3, 0, 0) + quoted
    path = save(tmp_path, [packets.link(1, packets.ipv4(B, A, icmp, 1)), frame(0, 5, 0, SYN)])
    assert read_segments(path).number.tolist() == [2]
    assert len(oracle.tshark_fields(path, ["frame.number"], "tcp")) == 2


@pytest.mark.tshark
def test_custom_blocks_take_a_number_in_wireshark_alone(tmp_path):
    """Wireshark counts a pcapng custom block as a frame. Here a frame is what was on a wire."""
    path = tmp_path / "custom.pcapng"
    custom = packets.block(0x40000BAD, b"\1\2\3\4private!")
    packet = packets.packet(0, FRAME_1193, 69)
    path.write_bytes(packets.section() + packets.interface() + custom + packet)
    assert read_segments(path).number.tolist() == [1]
    assert oracle.tshark_fields(path, ["frame.number"], "tcp") == [["2"]]


@pytest.mark.parametrize("cut", range(14, 76))
def test_snap_length_at_every_byte(cut):
    data = frame(0, 1, 2, ACK, b"payload", options=b"\x01\x01\x08\x0a" + bytes(8))
    segments = read_segments(parse_capture(packets.pcap([(0, data[:cut], len(data))])))
    assert len(segments) == (cut >= 14 + 20 + 16)
    if len(segments):
        assert segments.payload_length[0] == 7
        assert segments.payload_captured[0] == max(0, min(7, cut - 66))
        assert bool(segments.notes[0] & CUT) == (cut < 73)
        assert (segments.options.timestamp[0] >= 0) == (cut >= 66)
        assert bytes(segments.payload(0)) == b"payload"[: max(0, cut - 66)]


def test_more_than_a_chunk(tmp_path):
    """Flows go on from one chunk of 16,384 frames to the next."""
    frames = [(i, frame(i % 2, 10 + i, 20, ACK, sport=1000 + i % 50), 54) for i in range(40_000)]
    segments = read_segments(parse_capture(packets.pcap(frames)))
    assert len(segments) == 40_000 and segments.flow_count == 50
    assert segments.number.tolist() == list(range(1, 40_001))
    for number in (0, 49):
        rows = find_flow(segments, number).rows
        assert (rows % 50 == number).all() and len(rows) == 800
    assert (
        segments.seq - segments.relative_seq == np.where(np.arange(40_000) % 2, 19, segments.seq[0] - 1)
    ).any()


def test_mixed_numbers_that_collide_are_told_apart(monkeypatch):
    """Endpoints are hashed; if all hashes were equal, flows would still be right."""
    from lab.dissect.tcp import flow_numbers

    monkeypatch.setattr(flow_numbers, "MIX_LOW", np.uint64(0))
    monkeypatch.setattr(flow_numbers, "MIX_HIGH", np.uint64(0))
    count = 500
    source = np.arange(count, dtype=np.uint64) % np.uint64(37) << np.uint64(16)
    destination = np.full(count, 5, np.uint64)
    zeros = np.zeros(count, np.uint32)
    flags = np.full(count, ACK, np.uint16)
    flow, *_ = FlowNumbers().feed(source, destination, zeros, zeros, flags, np.ones(count, bool))
    assert flow.tolist() == [i % 37 for i in range(count)]


def test_flag_names():
    assert flag_names(0x012) == "SYN, ACK"
    assert flag_names(0) == "<None>"
    assert flag_names(0xFFF) == "FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE, Reserved"


# --- flows ---

OFFER = b"\x02\x04\x05\xb4\x04\x02\x01\x03\x03\x07\x01\x01"


def test_handshake():
    frames = [frame(0, 100, 0, SYN, options=OFFER)] * 2
    frames += [frame(1, 500, 101, SYN | ACK, options=OFFER[:4]), frame(0, 101, 501, ACK)]
    times = [0, 3_000_000, 3_250_000, 3_400_000]
    capture = packets.pcap([(t, f, len(f)) for t, f in zip(times, frames, strict=True)], nanoseconds=True)
    flow = find_flow(read_segments(parse_capture(capture)), 0)
    shake = flow.handshake
    assert (shake.syn, shake.syn_ack, shake.ack, shake.syn_retransmissions) == (2, 3, 4, 1)
    assert (shake.initiator_isn, shake.responder_isn) == (100, 500)
    assert (shake.initiator.mss, shake.initiator.window_shift, shake.initiator.sack_permitted) == (
        1460,
        7,
        True,
    )
    assert (shake.responder.mss, shake.responder.window_shift, shake.responder.timestamps) == (
        1460,
        None,
        False,
    )
    assert shake.agreed == {"window_scaling": False, "sack": False, "timestamps": False}
    assert (shake.responder_rtt_s, shake.initiator_rtt_s) == (0.00025, 0.00015)
    assert shake.rtt_s == pytest.approx(0.0004)
    assert (str(flow.initiator), str(flow.responder)) == ("10.0.0.1:1111", "10.0.0.2:9898")


@pytest.mark.filterwarnings("error")
def test_handshake_whose_numbers_wrap_around():
    """Both initial sequence numbers are the last there is: what acknowledges them is 0. Found by the
    fuzzer.
    """
    last = 2**32 - 1
    frames = [frame(0, last, 0, SYN), frame(1, last, 0, SYN | ACK), frame(0, 0, 0, ACK)]
    times = [0, 2**32 * 10**9 - 1, 5]  # and a clock that jumps by a century
    capture = packets.pcap([(t, f, len(f)) for t, f in zip(times, frames, strict=True)], nanoseconds=True)
    shake = find_flow(read_segments(parse_capture(capture)), 0).handshake
    assert (shake.syn, shake.syn_ack, shake.ack) == (1, 2, 3)
    assert shake.responder_rtt_s == pytest.approx(2**32) and shake.initiator_rtt_s < 0


CLOSINGS = {
    "still open": [(0, ACK)],
    "half-closed: FIN from 10.0.0.2:9898 only (frame 2)": [(0, ACK), (1, FIN | ACK), (0, ACK)],
    "closed: FIN from 10.0.0.1:1111 (frame 1), then from 10.0.0.2:9898 (frame 3)": [
        *((0, FIN | ACK), (1, ACK), (1, FIN | ACK), (0, ACK)),
    ],
    "reset: RST from 10.0.0.2:9898 (frame 2)": [(0, ACK), (1, RST)],
    "reset: RST from 10.0.0.2:9898 (frame 2) after FIN from 10.0.0.1:1111 (frame 1)": [
        (0, FIN | ACK),
        (1, RST),
    ],
}


@pytest.mark.parametrize("closing", CLOSINGS)
def test_closing(closing):
    frames = [frame(who, 10, 20, flags) for who, flags in CLOSINGS[closing]]
    segments = read_segments(parse_capture(packets.pcap([(i, f, len(f)) for i, f in enumerate(frames)])))
    assert find_flow(segments, 0).closing.startswith(closing)


def stream_of(*pieces, syn=True):
    """The initiator's stream of (relative seq, payload) in order of arrival."""
    base = 2**32 - 3  # the numbers wrap around at once
    frames = [frame(0, base, 0, SYN)] if syn else []
    frames += [frame(0, base + place, 1, ACK, payload) for place, payload in pieces]
    segments = read_segments(
        parse_capture(packets.pcap([(i, f, len(f)) for i, f in enumerate(frames)], nanoseconds=True))
    )
    return find_flow(segments, 0).from_initiator


def test_streams():
    assert stream_of((1, b"abc"), (4, b"def")).data == b"abcdef"
    assert stream_of((4, b"def"), (1, b"abc")).data == b"abcdef"
    assert stream_of((1, b"abc"), (1, b"abc"), (4, b"d")).data == b"abcd"
    assert stream_of((1, b"abc"), (2, b"XXd")).data == b"abcd"  # what was delivered first stays
    assert stream_of((3, b"cd"), (1, b"abXYe")).data == b"abXYe"  # nothing of "cd" had been delivered
    assert stream_of().data == b"" and len(stream_of()) == 0 and stream_of().pieces == []
    assert stream_of((900, b"middle"), syn=False).data == b"middle"


def test_gaps_are_shown_and_not_filled():
    stream = stream_of((1, b"abc"), (10, b"jkl"), (20, b"t"))
    assert stream.data == b"abcjklt"
    assert [(gap.offset, gap.length) for gap in stream.gaps] == [(3, 6), (6, 7)]
    assert stream.runs() == [(0, 3), (3, 6), (6, 7)]
    assert [stream.frame_at(i) for i in range(7)] == [2, 2, 2, 3, 3, 3, 4]
    assert stream.frames(2, 3) == [2, 3]
    assert [(p.offset, p.length, p.frame_number) for p in stream.pieces] == [
        (0, 3, 2), (3, 3, 3), (6, 1, 4),
    ]  # fmt: skip
    for offset in (-1, 7):
        with pytest.raises(IndexError):
            stream.frame_at(offset)
    assert stream.time_at(3) == 2


def test_every_order_of_arrival_gives_the_same_stream():
    import itertools

    pieces = [(1, b"ab"), (3, b"cde"), (4, b"def"), (7, b"g"), (1, b"abc")]
    for order in itertools.permutations(pieces):
        stream = stream_of(*order)
        assert stream.data == b"abcdefg" and stream.gaps == []
        assert sum(piece.length for piece in stream.pieces) == 7


@pytest.mark.tshark
def test_hostile_waiting_list_takes_no_quadratic_time(tmp_path):
    """Forty thousand segments that all wait for one that never comes."""
    pieces = [(10 + 2 * i, b"x") for i in range(40_000)]
    stream = stream_of(*reversed(pieces))
    assert len(stream) == 40_000 and len(stream.gaps) == 40_000


def test_tiny_numbers_on_the_wire():
    """tshark takes the number 0 for "not known yet"; here 0 is a number like any other."""
    frames = [frame(0, 2**32 - 1, 0, SYN), frame(0, 0, 1, ACK, b"zero"), frame(0, 0, 1, ACK, b"zero")]
    segments = read_segments(
        parse_capture(packets.pcap([(i * 10**9, f, len(f)) for i, f in enumerate(frames)]))
    )
    assert [(event.number, event.name) for event in find_flow(segments, 0).events] == [(3, "retransmission")]
