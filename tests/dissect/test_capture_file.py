"""Capture files: every form read alike, cut and hostile ones refused or cut clean, what we write read by
others.
"""

import gzip
import io
import os
import re
import signal
import struct
import subprocess
import sys
import tracemalloc
import zlib

import pytest

from lab.dissect import oracle
from lab.dissect.files import capture_file
from lab.dissect.files.capture_file import CaptureError, CaptureWriter, parse_capture, read_capture
from tests.dissect import packets
from tests.support import ROOT

FRAMES = [(1_683_600_000_123_456_789 + i * 1000, bytes([i]) * (20 + i), 20 + i) for i in range(10)]
T0 = FRAMES[0][0]


def pcapng(frames=FRAMES, order="<", between=b"", **options) -> bytes:
    out = packets.section(order) + packets.interface(order=order, **options)
    for time_ns, data, original in frames:
        out += between + packets.packet(time_ns, data, original, order=order)
    return out


FORMS = {
    "pcap": lambda: packets.pcap(FRAMES),
    "pcap big-endian nanoseconds": lambda: packets.pcap(FRAMES, order=">", nanoseconds=True),
    "pcapng": pcapng,
    "pcapng big-endian": lambda: pcapng(order=">"),
}


def test_damaged_in_the_middle_is_not_cut_off():
    """A length that runs over the end of the file, with whole packets behind it: said where, and as damage."""
    data = bytearray(pcapng())
    at = len(pcapng(FRAMES[:3]))  # the fourth packet's block
    assert data[at] == 6
    data[at + 5] = 0x40  # its length, now 16 KiB more
    capture = parse_capture(bytes(data))
    assert bytes(capture.frame(3)) == FRAMES[2][1] and len(capture) == 3
    assert capture.truncated.startswith("the file is damaged: ")
    assert f"more than the file has left, at byte {at}, after frame 3" in capture.truncated


# Of the fourth packet block of a pcapng file: where the field is, and what it says instead.
DAMAGED_BLOCKS = {
    "block length": (4, 13),
    "interface": (8, 7),
    "captured length": (20, 999),
    "second length": (28 + 24, 99),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("case", DAMAGED_BLOCKS)
def test_a_damaged_block_costs_no_frame_before_it(case, order):
    where, value = DAMAGED_BLOCKS[case]
    data = bytearray(pcapng(order=order))
    at = len(pcapng(FRAMES[:3], order=order))
    struct.pack_into(order + "I", data, at + where, value)
    capture = parse_capture(bytes(data))
    assert [bytes(capture.frame(i + 1)) for i in range(len(capture))] == [data for _, data, _ in FRAMES[:3]]
    assert capture.time_ns.tolist() == [time_ns for time_ns, _, _ in FRAMES[:3]]
    assert f"at byte {at}, after frame 3; the 3 frames before it are all here" in capture.truncated


def test_a_damaged_option_costs_no_frame_before_it():
    data = bytearray(pcapng(FRAMES[:3]) + packets.packet(T0, b"abcd", 4, comment="why") + pcapng(FRAMES[3:]))
    at = data.index(b"why") - 2
    data[at] = 0xEE
    capture = parse_capture(bytes(data))
    assert len(capture) == 3 and "an option of 238 bytes that runs out of its block" in capture.truncated


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("wrong", [-20, -3, -1, 1, 2, 9, 41, 5_000, 0x7FFFFFFF])
def test_a_wrong_record_length_costs_no_frame_before_it(wrong, nanoseconds, order):
    """It shows at the latest in the record behind it, whose header is read in the wrong place."""
    frames = [(time_ns, b"\xfe" * len(data), original) for time_ns, data, original in FRAMES]
    data = bytearray(packets.pcap(frames, 1, order, nanoseconds))
    at = len(packets.pcap(frames[:3], 1, order, nanoseconds))  # the fourth record
    struct.pack_into(order + "I", data, at + 8, max(0, len(frames[3][1]) + wrong))
    capture = parse_capture(bytes(data))
    assert len(capture) in (3, 4)
    assert [bytes(capture.frame(i + 1)) for i in range(3)] == [data for _, data, _ in frames[:3]]
    number, byte = re.match(r"frame (\d+) \(byte (\d+)\) ", capture.truncated).groups()
    assert int(number) == len(capture) + 1 and int(byte) >= at
    assert (
        f"the length of frame {len(capture)} is damaged; the {len(capture)} frames before it"
        in capture.truncated
    )


@pytest.mark.tshark
def test_the_frames_before_a_damage_are_those_of_tshark(tmp_path):
    for name, data in (("a.pcap", packets.pcap(FRAMES)), ("a.pcapng", pcapng())):
        damaged = bytearray(data)
        at = damaged.index(FRAMES[3][1]) - 8  # the captured length
        struct.pack_into("<I", damaged, at, 0x7FFFFFFF)
        (tmp_path / name).write_bytes(damaged)
        lengths = [int(length) for (length,) in oracle.tshark_fields(tmp_path / name, ["frame.len"])]
        assert len(lengths) == 3 and lengths == read_capture(tmp_path / name).original_length.tolist()


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere_gives_what_is_whole_and_says_so(form):
    data = FORMS[form]()
    whole = parse_capture(data)
    assert len(whole) == 10 and whole.truncated is None
    ends = [int(start + length) for start, length in zip(whole.offset, whole.captured_length, strict=True)]
    first = int(whole.offset[0]) - 16  # where the first record begins
    if "pcapng" in form:  # a block is whole when its padding and its second length are there
        ends = [end + -(end - int(start)) % 4 + 4 for start, end in zip(whole.offset, ends, strict=True)]
        first = int(whole.offset[0]) - 28
    for cut in range(len(data)):
        try:
            part = parse_capture(data[:cut])
        except CaptureError:
            assert cut < first
            continue
        whole_frames = sum(end <= cut for end in ends)
        assert [bytes(part.frame(i + 1)) for i in range(len(part))] == [
            x for _, x, _ in FRAMES[:whole_frames]
        ]
        if cut >= first:
            assert (part.truncated is None) == (cut in (first, *ends)), cut
        if part.truncated:
            assert f"{whole_frames} frames before it" in part.truncated


def test_pcapng_byte_orders_can_change_with_the_section():
    data = pcapng(FRAMES[:5]) + pcapng(FRAMES[5:], order=">", name="second")
    capture = parse_capture(data)
    assert [one.name for one in capture.interfaces] == ["lo", "second"]
    assert capture.interface.tolist() == [0] * 5 + [1] * 5
    assert capture.time_ns.tolist() == [time_ns for time_ns, _, _ in FRAMES]
    assert capture.comments == ["made by a test"] * 2


@pytest.mark.parametrize("resolution", [0, 3, 6, 9, 0x80 | 10, 0x80 | 30, 12])
def test_time_stamp_resolutions_and_offsets(resolution):
    per_second = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    units = 1_683_600_000 * per_second + per_second // 3
    if units >= 2**64:
        units = 12_345 * per_second + per_second // 3
    data = (
        packets.section()
        + packets.interface(resolution=resolution, offset_s=-7)
        + packets.packet(units, b"x", 1)
    )
    assert parse_capture(data).time_ns.tolist() == [units * 10**9 // per_second - 7 * 10**9]


@pytest.mark.tshark
def test_where_tshark_counts_picoseconds_wrong(tmp_path):
    """tshark 4.0 multiplies before it divides, in 64 bits: with units under 54 ps its fractions overflow."""
    units = 12_345 * 10**12 + 10**12 // 3
    path = tmp_path / "pico.pcapng"
    path.write_bytes(
        packets.section() + packets.interface(resolution=12) + packets.packet(units, b"x" * 60, 60)
    )
    ((theirs,),) = oracle.tshark_fields(path, ["frame.time_epoch"])
    ours = int(read_capture(path).time_ns[0])
    assert ours == 12_345_333_333_333
    seconds, fraction = theirs.split(".")
    assert seconds == "12345" and fraction != "333333333"


def test_older_and_simpler_packet_blocks():
    data = packets.section() + packets.interface(snap_length=25)
    data += (
        packets.old_packet(T0, b"old block", 9)
        + packets.simple_packet(b"y" * 25, 40)
        + packets.packet(T0, b"z", 1)
    )
    capture = parse_capture(data)
    assert [bytes(capture.frame(i)) for i in (1, 2, 3)] == [b"old block", b"y" * 25, b"z"]
    assert capture.original_length.tolist() == [9, 40, 1]
    assert capture.time_ns.tolist() == [T0, 0, T0]  # a simple block has no time


def test_comments_names_secrets_and_statistics():
    data = pcapng(FRAMES[:1]) + packets.packet(T0, b"z" * 5, 5, comment="look here")
    data += packets.block(4, struct.pack("<HH", 0, 0)) + packets.block(0x99, b"who knows")
    data += packets.block(0x0A, struct.pack("<II", 0x544C534B, 3) + b"key\0")
    data += packets.block(0x0A, struct.pack("<II", 0x57474B4C, 3) + b"wg!\0")  # another kind of secret
    statistics = packets.option(4, struct.pack("<Q", 77)) + packets.option(5, struct.pack("<Q", 3))
    data += packets.block(5, struct.pack("<III", 0, 0, 0) + statistics)
    capture = parse_capture(data)
    assert capture.frame_comments == {2: ["look here"]}
    assert capture.secrets == [b"key"]
    assert capture.interfaces[0].dropped == 3


def test_a_payload_that_looks_like_blocks_is_no_block():
    """The reader guesses where blocks are; a frame that holds a whole capture must not mislead it."""
    inner = pcapng()
    inner += b"\0" * (-len(inner) % 4)
    frames = [(T0, b"\0" * shift + inner, shift + len(inner)) for shift in range(8)]
    capture = parse_capture(pcapng(frames))
    assert [bytes(capture.frame(i + 1)) for i in range(8)] == [data for _, data, _ in frames]


def test_many_other_blocks_between_packets():
    capture = parse_capture(pcapng(between=packets.block(0x99, b"no kind") + packets.interface()))
    assert len(capture) == 10 and len(capture.interfaces) == 11


@pytest.mark.parametrize("members", [1, 3])
def test_gzip(members, tmp_path):
    plain = packets.pcap(FRAMES)
    cut = len(plain) // members + 1
    packed = b"".join(gzip.compress(plain[start : start + cut]) for start in range(0, len(plain), cut))
    (tmp_path / "a.pcap.gz").write_bytes(packed)
    assert len(read_capture(tmp_path / "a.pcap.gz")) == 10
    part = parse_capture(packed[:-12])
    assert "ends too early" in part.truncated or "middle" in part.truncated
    assert len(part) <= 10


def test_gzip_damaged_or_endless(monkeypatch):
    with pytest.raises(CaptureError, match="damaged gzip"):
        parse_capture(b"\x1f\x8b\x08" + b"\xff" * 40)
    monkeypatch.setattr(capture_file, "LARGEST_UNPACKED", 1 << 20)
    with pytest.raises(CaptureError, match="unpacks to more than"):
        parse_capture(gzip.compress(packets.pcap(FRAMES) + bytes(1 << 24)))


def test_one_block_of_deflate_that_makes_much():
    """A member whose whole output is still inside the decompressor when its input has ended."""
    plain = packets.pcap([(0, b"\0" * 262_144, 262_144)] * 100)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    assert len(parse_capture(packer.compress(plain) + packer.flush())) == 100


HUGE = 0xFFFFFFF0
HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"hello, world", "not a capture"),
    "pcap header cut": (packets.pcap([])[:20], "only 20 bytes"),
    "pcap 4 GiB frame": (packets.pcap([]) + struct.pack("<IIII", 0, 0, HUGE, HUGE), "claims 4294967280"),
    "pcap frame over the limit": (packets.pcap([(0, b"x" * 262_145, 262_145)]), "claims 262145"),
    "block of 0": (packets.section() + struct.pack("<III", 1, 0, 0), "length of 0"),
    "block of 8": (packets.section() + struct.pack("<III", 1, 8, 8), "length of 8"),
    "odd block": (packets.section() + struct.pack("<II", 1, 13) + b"12345", "length of 13"),
    "block of 4 GiB": (packets.section() + struct.pack("<II", 6, HUGE) + b"12345678", "length of 4294967280"),
    "lengths disagree": (
        packets.section() + packets.block(9, b"abcd")[:-4] + struct.pack("<I", 20),
        "disagree",
    ),
    "packet lengths disagree": (pcapng(FRAMES[:1])[:-4] + struct.pack("<I", 68), "disagree"),
    "packet too short": (
        packets.section() + packets.interface() + packets.block(6, b"\0" * 16),
        "disagree or",
    ),
    "no such interface": (packets.section() + packets.packet(0, b"x", 1), "interface 0"),
    "packet overflows": (
        packets.section() + packets.interface() + packets.block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
        "claims 99 bytes",
    ),
    "simple packet without interface": (packets.section() + packets.simple_packet(b"x", 1), "interface 0"),
    "simple packet overflows": (
        packets.section() + packets.interface() + packets.simple_packet(b"x", 99),
        "claims 99",
    ),
    "option overflows": (
        packets.section() + packets.block(1, b"\1\0\0\0\0\0\0\0\2\0\xff\xff"),
        "runs out of its block",
    ),
    "secrets overflow": (
        packets.section() + packets.block(10, struct.pack("<II", 0x544C534B, HUGE)),
        "secrets block",
    ),
    "short interface": (packets.section() + packets.block(1, b"abcd"), "too short"),
    "no byte-order mark": (packets.section()[:8] + b"abcd" + packets.section()[12:], "byte-order"),
    "version 2": (packets.section()[:12] + b"\2\0" + packets.section()[14:], "version 2"),
    "resolution": (packets.section() + packets.interface(resolution=0x80 | 100), "units of"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_one_line(case):
    data, says = HOSTILE[case]
    tracemalloc.start()
    with pytest.raises(CaptureError, match=re.escape(says)) as caught:
        parse_capture(data, "evil.pcapng")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value).startswith("evil.pcapng: ") and "\n" not in str(caught.value)
    assert peak < 20_000_000


def test_too_many_interfaces_and_sections_take_linear_time():
    many = packets.section() + packets.interface() * 70_000
    with pytest.raises(CaptureError, match="more than 65536 interfaces"):
        parse_capture(many)
    assert len(parse_capture(pcapng(FRAMES[:1]) * 3000)) == 3000


def test_frame_numbers_outside():
    capture = parse_capture(packets.pcap(FRAMES))
    for number in (0, -1, 11):
        with pytest.raises(IndexError):
            capture.frame(number)


# --- writing ---


def write(target):
    with CaptureWriter(target, comment="a comment", application="a test") as writer:
        first = writer.add_interface(
            "veth0", description="to the switch", snap_length=96, filter="tcp port 9898"
        )
        second = writer.add_interface("raw0", link_type=101)
        writer.add_secrets(b"CLIENT_RANDOM 00 11\n")
        for time_ns, data, original in FRAMES:
            writer.write(data, time_ns, first, original)
        writer.write(memoryview(b"\x45" + bytes(19)), T0, second, comment="an odd one")


def test_what_we_write_we_read(tmp_path):
    write(tmp_path / "a.pcapng")
    capture = read_capture(tmp_path / "a.pcapng")
    assert [bytes(capture.frame(i + 1)) for i in range(10)] == [data for _, data, _ in FRAMES]
    assert capture.time_ns.tolist()[:10] == [time_ns for time_ns, _, _ in FRAMES]
    assert (capture.comments, capture.application) == (["a comment"], "a test")
    one = capture.interfaces[0]
    assert (one.name, one.description, one.snap_length) == ("veth0", "to the switch", 96)
    assert capture.interfaces[1].link_type == 101
    assert capture.frame_comments == {11: ["an odd one"]}
    assert capture.secrets == [b"CLIENT_RANDOM 00 11\n"]
    buffer = io.BytesIO()
    write(buffer)
    assert buffer.getvalue() == (tmp_path / "a.pcapng").read_bytes()


@pytest.mark.tshark
def test_what_we_write_wireshark_reads(tmp_path):
    path = tmp_path / "a.pcapng"
    write(path)
    about = subprocess.run(["capinfos", str(path)], capture_output=True, text=True).stdout
    for said in (
        "a comment",
        "a test",
        "veth0",
        "to the switch",
        "tcp port 9898",
        "secrets in file: 1",
    ):
        assert said in about, said
    rows = oracle.tshark_fields(
        path, ["frame.time_epoch", "frame.cap_len", "frame.len", "frame.interface_name"]
    )
    assert rows[0] == ["1683600000.123456789", "20", "20", "veth0"]
    assert [row[3] for row in rows] == ["veth0"] * 10 + ["raw0"]
    ((comment,),) = oracle.tshark_fields(path, ["frame.comment"], "frame.comment")
    assert comment == "an odd one"


def test_writer_refuses_what_no_file_takes(tmp_path):
    with CaptureWriter(tmp_path / "a.pcapng") as writer:
        with pytest.raises(CaptureError, match="was not added"):
            writer.write(b"x", 0)
        writer.add_interface("lo")
        with pytest.raises(CaptureError, match="takes 262144"):
            writer.write(bytes(262_145), 0)
    writer.close()  # twice is fine
    assert read_capture(tmp_path / "a.pcapng").truncated is None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_killed_recorder_leaves_a_whole_file(tmp_path):
    """The child is killed without warning in the middle of writing; every block on disk is whole."""
    path = tmp_path / "killed.pcapng"
    code = (
        "import sys; from lab.dissect.files.capture_file import CaptureWriter\n"
        "writer = CaptureWriter(sys.argv[1]); writer.add_interface('lo')\n"
        "for i in range(500): writer.write(bytes(i % 1500), i)\n"
        "print('half', flush=True)\n"
        "while True: writer.write(b'more', 1)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout.readline() == b"half\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    capture = read_capture(path)
    assert len(capture) >= 500 and capture.truncated is None
