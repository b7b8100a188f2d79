"""Headers between link and packet, held against tshark; and the frames that are counted because they are not read."""

from xml.etree import ElementTree

import pytest

from lab.dissect import oracle
from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import CaptureWriter, parse_capture, read_capture
from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.segments import read_segments
from tests.dissect import links, packets
from tests.dissect.frames import check_cover
from tests.dissect.tshark_check import tshark_pdml
from tests.support import ROOT


def write(path, frames):
    """Frames (link type, bytes) into a pcapng file that has an interface for each link type."""
    types = sorted({link for link, _ in frames})
    with CaptureWriter(path) as writer:
        for link in types:
            writer.add_interface(f"link{link}", link)
        for i, (link, data) in enumerate(frames):
            writer.write(data, i * 1_000_000, types.index(link))
    return path


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """(path, name of each frame): each kind of header before packets of IPv4 and IPv6."""
    made = []
    for name, (link, wrap) in links.READ.items():
        inner = links.read_packets()[: 2 if "without SNAP" in name else 4]  # LLC by itself knows only IPv4
        made += [(name, link, wrap(packet)) for packet in inner]
    path = write(tmp_path_factory.mktemp("links") / "a.pcapng", [(link, frame) for _, link, frame in made])
    return path, [name for name, *_ in made]


@pytest.mark.tshark
def test_rows_equal_those_of_tshark(everything):
    path, names = everything
    segments = read_segments(path)
    assert oracle.compare(path) == []
    assert len(segments) == len(names) and segments.not_looked_into == {}
    assert {bytes(segments.payload(i)) for i in range(len(names))} == {b"hello"}


@pytest.mark.tshark
def test_fields_stand_where_tshark_has_them(everything):
    path, names = everything
    capture, compared = read_capture(path), set()
    layers = ("llc", "pppoe", "ppp", "mpls", "vlan", "ip", "ipv6", "tcp")
    frames = ElementTree.fromstring(tshark_pdml(path)).iter("packet")
    for number, (name, packet) in enumerate(zip(names, frames, strict=True), 1):
        theirs = {}
        for one in packet.iter("field"):
            if one.get("size"):
                theirs.setdefault(one.get("name"), []).append((int(one.get("pos")), int(one.get("size"))))
        tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number))
        check_cover(tree, int(capture.captured_length[number - 1]))
        assert tree.find("tcp.checksum").judgement == "right", name
        for field in tree.walk():
            first, last = field.start, field.start + field.length
            if field.key.split(".")[0] in layers and field.key in theirs:
                assert any(pos <= first and last <= pos + size for pos, size in theirs[field.key]), (
                    name,
                    field,
                )
                compared.add((name, field.key))
    assert {key for _, key in compared} >= {
        "llc.dsap",
        "llc.type",
        "pppoe.session_id",
        "ppp.protocol",
        "mpls.label",
    }
    assert {name for name, _ in compared} == set(links.READ)


@pytest.mark.parametrize("name", links.READ)
def test_cut_at_every_byte(name):
    """No row without a whole header, none of bytes that are not there, and every frame has a row or a name."""
    link, wrap = links.READ[name]
    frame = wrap(links.read_packets()[0])
    for cut in range(len(frame)):
        segments = read_segments(parse_capture(packets.pcap([(0, frame[:cut], len(frame))], link)))
        assert len(segments) + sum(map(len, segments.not_looked_into.values())) == 1
        check_cover(dissect_frame(frame[:cut], link), cut)
        if len(segments):
            assert bytes(segments.payload(0)) == b"hello"[: segments.payload_captured[0]]


def test_every_frame_without_a_row_has_a_name(tmp_path):
    made = links.not_read()
    path = write(tmp_path / "a.pcapng", [(link, frame) for link, _, frame in made])
    segments = read_segments(path)
    assert len(segments) == 0
    found = {
        number: name for name, numbers in segments.not_looked_into.items() for number in numbers.tolist()
    }
    assert found == {number: name for number, (_, name, _) in enumerate(made, 1)}
    counts = {name: len(numbers) for name, numbers in segments.not_looked_into.items()}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    line = describe(counts)
    assert line.startswith(
        "3 fragments, 2 frames of GRE, 2 frames of UDP, 2 headers cut short, 1 frame of ARP"
    )
    assert "1 damaged header," in line
    assert describe({}) == ""


@pytest.mark.tshark
def test_tshark_reads_no_tcp_where_we_count_other_frames_but_in_tunnels(tmp_path):
    """What tshark finds in them is in the README: tunnels, fragments, PPP, HDLC and nflog."""
    made = links.not_read()
    path = write(tmp_path / "a.pcapng", [(link, frame) for link, _, frame in made])
    theirs = {
        int(number) for (number,) in oracle.tshark_fields(path, ["frame.number"], "tcp", oracle.NO_FRAGMENTS)
    }
    names = {made[number - 1][1] for number in theirs}
    assert names <= {
        "GRE",
        "IPv4 in IP",
        "IPv6 in IP",
        "fragments",
        "PPP",
        "Cisco HDLC",
        "nflog",
        "headers cut short",
    }
    assert "GRE" in names and "PPP" in names


def test_a_recording_of_this_kit_has_only_segments_and_named_frames():
    for path in ("captures/chat/plain.pcapng", "captures/report-frame-1193.pcapng"):
        segments = read_segments(ROOT / path)
        assert len(segments) + sum(map(len, segments.not_looked_into.values())) == len(
            read_capture(ROOT / path)
        )


def test_deep_nesting_ends():
    for header in (b"\x88\x47" + b"\0\0\0\x01" * 5000, b"\x81\x00" + b"\0\1\x81\0" * 5000):
        frame = bytes(12) + header
        segments = read_segments(parse_capture(packets.pcap([(0, frame, len(frame))])))
        assert len(segments) == 0 and sum(map(len, segments.not_looked_into.values())) == 1
        check_cover(dissect_frame(frame), len(frame))
