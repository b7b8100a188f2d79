"""The field tree: the report's own frame value by value, every bit in one leaf, ranges as in Wireshark's
PDML.
"""

import random
import struct
import xml.etree.ElementTree as ElementTree

import pytest

from lab.dissect import oracle
from lab.dissect.fields import checksums
from lab.dissect.fields.frame import Part, dissect_frame
from lab.dissect.files.capture_file import CaptureWriter, read_capture
from tests.dissect import packets
from tests.dissect.frames import check_cover, other_frames
from tests.dissect.generator import LINKS, Conversation
from tests.dissect.tls_traffic import play, write_capture
from tests.dissect.tshark_check import tshark_pdml
from tests.support import FRAME_1193

ALL_LINKS = sorted(set(LINKS))


def test_the_reports_frame():
    tree = dissect_frame(FRAME_1193)
    expected = {
        "eth.dst": "18:c0:4d:df:aa:43",
        "eth.src": "c6:fe:50:ad:ab:dc",
        "eth.type": "0x0800 (IPv4)",
        **{"ip.version": "4", "ip.hdr_len": "5", "ip.dsfield.dscp": "0", "ip.len": "55", "ip.id": "0xcb45"},
        **{
            "ip.flags.df": "1",
            "ip.flags.mf": "0",
            "ip.frag_offset": "0",
            "ip.ttl": "64",
            "ip.proto": "6 (TCP)",
        },
        **{"ip.checksum": "0x23f5", "ip.src": "10.27.27.131", "ip.dst": "10.27.27.206"},
        **{
            "tcp.srcport": "9898",
            "tcp.dstport": "56228",
            "tcp.seq_raw": "115678202",
            "tcp.ack_raw": "1745380245",
        },
        **{"tcp.hdr_len": "5", "tcp.flags": "0x018 (ACK, PSH)", "tcp.window_size_value": "502"},
        **{"tcp.checksum": "0x630c", "tcp.urgent_pointer": "0"},
    }
    for key, text in expected.items():
        assert tree.find(key).text == text, key
    assert tree.find("ip.checksum").judgement == tree.find("tcp.checksum").judgement == "right"
    assert tree.find("data.data").value == b"<Brandon> hello"
    assert [layer.name for layer in tree.children] == ["Ethernet", "IPv4", "TCP", "Data"]
    check_cover(tree, 69)


def test_each_byte_has_a_leaf_with_a_sentence():
    tree = dissect_frame(FRAME_1193)
    leaves = list(tree.leaves())
    assert {byte for leaf in leaves for byte in range(leaf.start, leaf.start + leaf.length)} == set(range(69))
    for leaf in leaves:
        assert leaf.meaning.endswith(".") and (leaf.source or leaf.key == "data.data"), leaf
    with pytest.raises(KeyError):
        tree.find("no.such.key")


def test_the_application_names_its_parts():
    def chat(payload, sport, dport):
        assert (payload, sport, dport) == (b"<Brandon> hello", 9898, 56228)
        return "Chat", [Part("Speaker", 9, "<Brandon>", "Who speaks."), Part("Space", 1)]

    tree = dissect_frame(FRAME_1193, application=chat)
    layer = tree.children[-1]
    assert layer.name == "Chat"
    assert [leaf.name for leaf in layer.leaves()] == ["Speaker", "Space", "Data"]
    check_cover(tree, 69)
    assert dissect_frame(FRAME_1193, application=lambda *_: None).children[-1].name == "Data"
    for wrong in ([Part("too long", 999)], [Part("none", 0)] * 30, [Part("negative", -5)], []):
        check_cover(dissect_frame(FRAME_1193, application=lambda *_, wrong=wrong: ("X", wrong)), 69)


def test_as_json():
    plain = dissect_frame(FRAME_1193).as_dict()
    assert plain["fields"][1]["fields"][12]["judgement"] == "right"
    import json

    assert json.loads(json.dumps(plain)) == plain


# --- against tshark ---


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Capture files of all kinds of frames, whole: conversations, the odd ones, and TLS 1.2 and 1.3."""
    folder = tmp_path_factory.mktemp("fields")
    with CaptureWriter(folder / "tcp.pcapng") as writer:
        for link in ALL_LINKS:
            writer.add_interface(f"link{link}", link)
        for seed in range(56):
            talk = Conversation(5000 + seed)
            talk.snap = None
            for time_ns, data, _ in talk.play():
                writer.write(data, time_ns, ALL_LINKS.index(talk.link))
        for i, data in enumerate(other_frames()):
            writer.write(data, i, ALL_LINKS.index(1))
    write_capture(folder / "13.pcapng", play(version="1.3", tickets=1)["wire"], segment=60_000)
    wire = play(version="1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256")["wire"]
    write_capture(folder / "12.pcapng", wire, segment=60_000)
    return [folder / name for name in ("tcp.pcapng", "13.pcapng", "12.pcapng")]


# A record of TLS 1.3 that tshark knows to be encrypted gets another name for its content type.
ALIASES = {"tls.record.content_type": "tls.record.opaque_type"}


@pytest.mark.maintainers
@pytest.mark.tshark
def test_ranges_equal_those_of_pdml(captures):
    """Whole-byte fields to the byte. Of bit fields tshark gives the word that its mask applies to: ours is
    inside.
    """
    compared = set()
    for path in captures:
        capture = read_capture(path)
        document = ElementTree.fromstring(tshark_pdml(path, oracle.NO_FRAGMENTS))
        frames = list(document.iter("packet"))
        assert len(frames) == len(capture)
        for number, packet in enumerate(frames, 1):
            theirs = {}
            for one in packet.iter("field"):
                if one.get("name") and one.get("size"):
                    theirs.setdefault(one.get("name"), []).append((int(one.get("pos")), int(one.get("size"))))
            tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number))
            for field in tree.walk():
                ranges = theirs.get(field.key, []) + theirs.get(ALIASES.get(field.key), [])
                if not field.key or not ranges:
                    continue
                first, last = field.start, field.start + field.length
                if field.is_bits:
                    assert any(pos <= first and last <= pos + size for pos, size in ranges), (
                        path,
                        number,
                        field,
                    )
                else:
                    assert (first, last - first) in ranges, (path, number, field, ranges)
                compared.add(field.key)
    assert len(compared) > 130
    for protocol in (
        "eth",
        "vlan",
        "arp",
        "ip",
        "ipv6",
        "icmp",
        "icmpv6",
        "tcp",
        "tls",
        "sll",
        "null",
        "udp",
    ):
        assert any(key.startswith(f"{protocol}.") for key in compared), protocol


@pytest.mark.tshark
def test_values_equal_those_of_pdml(captures):
    """The bytes under a field are the ones that tshark shows for it; and so are the numbers made of them."""
    shown = [
        "ip.ttl",
        "ip.id",
        "ip.frag_offset",
        "ipv6.flow",
        "ipv6.hlim",
        "tcp.hdr_len",
        "tcp.flags",
        "vlan.id",
    ]
    shown += [
        "tcp.options.mss_val",
        "tcp.options.wscale.shift",
        "tcp.urgent_pointer",
        "icmp.type",
        "arp.opcode",
    ]
    factors = {"tcp.hdr_len": 4}  # tshark multiplies it out; the field itself counts words
    path = captures[0]
    capture = read_capture(path)
    for number, *texts in oracle.tshark_fields(path, ["frame.number", *shown], "", oracle.NO_FRAGMENTS):
        tree = dissect_frame(bytes(capture.frame(int(number))), capture.link_type(int(number)))
        for key, text in zip(shown, texts, strict=True):
            ours = [one.value * factors.get(key, 1) for one in tree.walk() if one.key == key]
            assert ours == [int(one, 0) for one in text.split(",") if one], (number, key)


@pytest.mark.tshark
def test_checksums_are_judged_as_tshark_judges(tmp_path):
    rng = random.Random(1)
    with CaptureWriter(tmp_path / "a.pcapng") as writer:
        writer.add_interface("lab0")
        for seed in range(300):
            data = bytearray(
                packets.tcp("10.0.0.1", "10.0.0.2", seed, 9898, 7, 9, 24, payload=rng.randbytes(seed % 60))
            )
            if seed % 3 == 1:
                data[rng.randrange(16, len(data))] ^= rng.randrange(1, 256)
            frame = bytearray(packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", bytes(data))))
            if seed % 5 == 1:
                frame[14 + rng.randrange(8, 20)] ^= rng.randrange(1, 256)
            writer.write(bytes(frame), seed)
    capture = read_capture(tmp_path / "a.pcapng")
    check = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE")
    fields = ["ip.checksum.status", "tcp.checksum.status"]
    names, seen = {"1": "right", "0": "wrong"}, set()
    for number, line in enumerate(oracle.tshark_fields(tmp_path / "a.pcapng", fields, "", check), 1):
        tree = dissect_frame(bytes(capture.frame(number)))
        for key, status in zip(("ip.checksum", "tcp.checksum"), line, strict=True):
            if status in names:
                assert tree.find(key).judgement == names[status], (number, key)
                seen.add((key, status))
    assert len(seen) == 4


# --- checksums ---


def test_internet_checksum_of_rfc_1071():
    assert checksums.ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2
    assert checksums.ones_sum(b"\x01") == 0x0100
    assert checksums.ones_sum(b"") == 0


def frame_with(checksum: int, payload=b"hello") -> bytes:
    segment = packets.tcp("10.0.0.1", "10.0.0.2", 1, 9898, 7, 9, 24, payload=payload)
    segment = segment[:16] + struct.pack(">H", checksum) + segment[18:]
    return packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", segment))


def test_offloaded_checksums_are_told_from_wrong_ones():
    """Linux leaves the sum of the pseudo-header in the field for the network card to go on with."""
    right = dissect_frame(frame_with(0)).find("tcp.checksum")
    assert right.judgement == "offloaded"
    should_be = int(right.meaning.split("0x")[1][:4], 16)
    pseudo = checksums.pseudo_header(packets.packed("10.0.0.1"), packets.packed("10.0.0.2"), 6, 25)
    for value, judgement in (
        (should_be, "right"),
        (checksums.ones_sum(pseudo), "offloaded"),
        (should_be ^ 1, "wrong"),
    ):
        field = dissect_frame(frame_with(value)).find("tcp.checksum")
        assert field.judgement == judgement
        assert (f"0x{should_be:04x}" in field.meaning) == (judgement != "right")


def test_what_was_not_captured_is_not_judged():
    whole = frame_with(0x1234)
    assert dissect_frame(whole[:-1]).find("tcp.checksum").judgement == "not judged"
    assert dissect_frame(whole[:30]).find("ip.checksum").judgement == "not judged"


# --- hostile frames ---


@pytest.mark.parametrize("link_type", [*ALL_LINKS, 12, 14, 228, 229, 9999])
def test_any_bytes_are_covered(link_type, captures):
    """Every prefix of a frame, and frames with bytes changed, under every link type: no exception, every
    bit covered.
    """
    rng = random.Random(link_type)
    for path in captures:
        capture = read_capture(path)
        for number in rng.sample(range(1, len(capture) + 1), min(12, len(capture))):
            data = bytearray(bytes(capture.frame(number))[:700])
            for cut in range(0, len(data), 7):
                check_cover(dissect_frame(bytes(data[:cut]), link_type), cut)
            for _ in range(30):
                changed = bytearray(data)
                for _ in range(rng.randrange(1, 6)):
                    changed[rng.randrange(min(len(data), 120))] = rng.choice(
                        (0, 1, 4, 255, rng.randrange(256))
                    )
                check_cover(dissect_frame(bytes(changed), link_type), len(changed))


def test_deep_nesting_ends():
    """A hundred VLAN tags, or extension headers without end, are no reason to go on for ever."""
    tags = bytes(12) + b"\x81\x00\x00\x01" * 5000
    check_cover(dissect_frame(tags), len(tags))
    header = struct.pack(">IHBB", 0x60000000, 60_000, 0, 64) + bytes(32)
    chain = header + b"\0" * 60_000
    check_cover(dissect_frame(chain, 101), len(chain))
