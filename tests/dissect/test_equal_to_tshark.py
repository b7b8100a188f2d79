"""Held against tshark: 224 conversations made from seeds, in every file format and link type the kit reads.

Starting tshark costs more than asking it, so the 28 conversations of one file format go into one file, each
with addresses of its own; every frame of every conversation is still compared, and none may be missing on
either side.
"""

import gzip
import re
from dataclasses import dataclass, field

import pytest

from lab.dissect import oracle
from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.decoding import CUT
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import ACK, SYN, Segments, read_segments
from tests.dissect import packets
from tests.dissect.generator import LINKS, Conversation
from tests.dissect.tshark_check import EVENT_FIELDS, check_events, check_streams
from tests.support import only

pytestmark = pytest.mark.tshark

SEEDS_PER_FORMAT = 28
ALL_LINKS = sorted(set(LINKS))


def pcap_file(conversations, order, nanoseconds, link=packets.ETHERNET):
    frames = [frame for one in conversations for frame in one.frames]
    return packets.pcap(frames, link, order, nanoseconds)


def pcapng_file(conversations, order="<", resolution=9, offset_s=0, sections=1, kind="packet"):
    unit_ns = {9: 1, 6: 1000, 7: 100}[resolution]
    out, share = b"", -(-len(conversations) // sections)
    for start in range(0, len(conversations), share):
        out += packets.section(order)
        for link in ALL_LINKS:
            out += packets.interface(link, order, resolution=resolution, offset_s=offset_s)
        out += packets.block(4, b"\0\0\0\0", order) + packets.block(0x99, b"no kind that anyone knows", order)
        for one in conversations[start : start + share]:
            for time_ns, data, original in one.frames:
                units = (time_ns - offset_s * 10**9) // unit_ns
                number = ALL_LINKS.index(one.link)
                if kind == "old":
                    out += packets.old_packet(units, data, original, number, order)
                else:
                    out += packets.packet(units, data, original, number, order, "x" if units % 3 == 0 else "")
    return out


FORMATS = {
    "pcap": (lambda many: pcap_file(many, "<", False), packets.ETHERNET),
    "pcap big-endian": (lambda many: pcap_file(many, ">", False, packets.SLL), packets.SLL),
    "pcap nanoseconds gzip": (lambda many: gzip.compress(pcap_file(many, "<", True)), packets.ETHERNET),
    "pcap big-endian nanoseconds": (lambda many: pcap_file(many, ">", True, packets.RAW), packets.RAW),
    "pcapng": (lambda many: pcapng_file(many), None),
    "pcapng big-endian": (lambda many: pcapng_file(many, ">", 6), None),
    "pcapng three sections, offset": (lambda many: pcapng_file(many, "<", 7, 3600, 3), None),
    "pcapng old blocks": (lambda many: pcapng_file(many, "<", 6, kind="old"), None),
}


@dataclass
class Case:
    """One file with its conversations, this kit's answers and tshark's."""

    path: str
    conversations: list[Conversation]
    owner: list[Conversation]  # by frame
    segments: Segments
    flows: list[Flow]
    fields: dict[int, dict[str, str]] = field(default_factory=dict)


EXTRA = [
    *EVENT_FIELDS,
    "tcp.analysis.initial_rtt",
    *("ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "_ws.col.Info", "tcp.payload"),
    *("tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.sack_perm"),
    *(
        "tcp.options.sack_le",
        "tcp.options.sack_re",
        "tcp.options.timestamp.tsval",
        "tcp.options.timestamp.tsecr",
    ),
]


@pytest.fixture(
    scope="module",
    params=only(FORMATS, "pcap", "pcapng three sections, offset"),
)
def case(request, tmp_path_factory) -> Case:
    write, link = FORMATS[request.param]
    first = list(FORMATS).index(request.param) * SEEDS_PER_FORMAT
    conversations = [Conversation(seed, link) for seed in range(first, first + SEEDS_PER_FORMAT)]
    for one in conversations:
        one.play()
    path = tmp_path_factory.mktemp("equal") / "capture"
    path.write_bytes(write(conversations))
    segments = read_segments(path)
    owner = [one for one in conversations for _ in one.frames]
    made = Case(str(path), conversations, owner, segments, find_flows(segments))
    for line in oracle.tshark_fields(path, ["frame.number", *EXTRA], "tcp.seq_raw", oracle.NO_FRAGMENTS):
        made.fields[int(line[0])] = dict(zip(EXTRA, line[1:], strict=True))
    return made


def test_every_column_of_every_row(case):
    assert len(case.segments.capture) == len(case.owner)
    assert len(case.segments) > 300
    assert oracle.compare(case.path) == []


def test_addresses_and_payloads(case):
    segments = case.segments
    for i, number in enumerate(segments.number.tolist()):
        theirs = case.fields[number]
        assert segments.address(segments.src[i]) in (theirs["ip.src"], theirs["ipv6.src"])
        assert segments.endpoint(i)[0] in (theirs["ip.src"], theirs["ipv6.src"])
        assert segments.endpoint(i, destination=True)[0] in (theirs["ip.dst"], theirs["ipv6.dst"])
        assert bytes(segments.payload(i)).hex() == theirs["tcp.payload"]


def test_options(case):
    """Where the snap length cut into the options, tshark shows the half of a time stamp that is there; we
    do not.
    """
    segments = case.segments
    for i, number in enumerate(segments.number.tolist()):
        if segments.options_cut[i]:
            continue
        theirs = case.fields[number]
        for column, name in (
            ("mss", "mss_val"),
            ("window_shift", "wscale.shift"),
            ("timestamp", "timestamp.tsval"),
            ("timestamp_echo", "timestamp.tsecr"),
        ):
            assert getattr(segments.options, column)[i] == int(theirs[f"tcp.options.{name}"] or -1), (
                number,
                column,
            )
        assert bool(segments.options.sack_permitted[i]) == bool(theirs["tcp.options.sack_perm"])
        base = int(segments.ack[i]) - int(
            segments.relative_ack[i]
        )  # tshark shows SACK edges as relative numbers
        for edges, name in (
            (segments.options.sack_left, "sack_le"),
            (segments.options.sack_right, "sack_re"),
        ):
            ours = [str((int(edge) - base) % 2**32) for edge in edges[i][: segments.options.sack_count[i]]]
            assert ",".join(ours) == theirs[f"tcp.options.{name}"], number


def test_info(case):
    """Apart from tshark's judgements in brackets, which ``events`` has, and of a header that was cut
    short.
    """
    segments = case.segments
    for i, number in enumerate(segments.number.tolist()):
        if segments.options_cut[i]:
            continue
        theirs = re.sub(r"^(\[[^\]]*\] )+", "", case.fields[number]["_ws.col.Info"])
        assert segments.info(i) == theirs.replace("[Packet size limited during capture]", ""), number


def test_events(case):
    seen = check_events(case.segments, case.flows, case.fields)
    assert {"retransmission", "duplicate_ack", "lost_segment", "out_of_order", "zero_window"} <= seen


def test_round_trip_of_the_handshake(case):
    """tshark ends the handshake at the first ACK of *either* side; where the third frame is missing that is
    another.
    """
    segments, compared = case.segments, 0
    for flow in case.flows:
        shake = flow.handshake
        if shake is None or shake.ack is None:
            continue
        acks = flow.rows[segments.flags[flow.rows] & (SYN | ACK) == ACK]
        if segments.number[acks[0]] != shake.ack:
            continue
        theirs = {
            case.fields[number]["tcp.analysis.initial_rtt"]
            for number in flow.segments.number[flow.rows].tolist()
        }
        theirs.discard("")
        if theirs:
            compared += 1
            assert len(theirs) == 1
            assert shake.rtt_s == pytest.approx(float(theirs.pop()), abs=1e-9), flow
    assert compared > 10


def test_streams(case):
    """Streams without cut segments; tshark loses bytes of cut ones (see test_streams_are_what_was_sent)."""
    segments = case.segments
    uncut = [flow for flow in case.flows if not (segments.notes[flow.rows] & CUT).any()]
    assert len(uncut) > 10
    compared = check_streams(case.path, case.segments, uncut)
    assert compared > 5000


def test_streams_are_what_was_sent(case):
    """Against the conversation itself: each byte of each stream, at its place in the sender's numbers."""
    checked = 0
    for flow in case.flows:
        row = int(flow.rows[0])
        talk = case.owner[case.segments.number[row] - 1]
        for stream in (flow.from_initiator, flow.from_responder):
            if not len(stream):
                continue
            for piece in stream.pieces:
                side = next(one for one in talk.sides if one.port == case.segments.sport[piece.row])
                ends_at = int(case.segments.relative_seq[piece.row]) + int(
                    case.segments.payload_captured[piece.row]
                )
                sent = talk.truth(
                    side, int(case.segments.seq[piece.row]), case.segments.payload_captured[piece.row]
                )
                got = stream.data[piece.offset : piece.offset + piece.length]
                payload = bytes(case.segments.payload(piece.row))
                assert payload[piece.start : piece.start + piece.length] == got
                assert sent.endswith(got), (flow, piece, ends_at)
                assert case.segments.number[piece.row] == piece.frame_number
                checked += piece.length
    assert checked > 5000


def test_the_formats_differ_only_in_form(case):
    """Times, lengths and bytes of every frame are those that were written."""
    capture = read_capture(case.path)
    frames = [frame for one in case.conversations for frame in one.frames]
    assert [bytes(capture.frame(i + 1)) for i in range(len(frames))] == [data for _, data, _ in frames]
    assert capture.original_length.tolist() == [original for _, _, original in frames]
    for written, read in zip(frames, capture.time_ns.tolist(), strict=True):
        assert 0 <= written[0] - read < 1000
