"""Frames that several tests dissect, what holds for each of them, and how often hypothesis tries."""

import struct

from hypothesis import settings

from tests.dissect import packets

some = settings(max_examples=150, deadline=None)
A, B = "10.0.0.1", "10.0.0.2"


def frame(who, seq, ack, flags, payload=b"", sport=1111, dport=9898, options=b"", **more):
    ends = (A, B, sport, dport) if who == 0 else (B, A, dport, sport)
    segment = packets.tcp(*ends, seq, ack, flags, payload=payload, options=options)
    return packets.link(1, packets.ipv4(*ends[:2], segment, **more))


def check_cover(tree, length: int) -> None:
    """Leaves follow one another without a gap or an overlap, from the first bit to the last."""
    place = 0
    for leaf in tree.leaves():
        assert leaf.bit_start == place, (leaf, place)
        place += leaf.bit_length
    assert place == length * 8
    for one in tree.walk():
        if one.children:
            assert one.bit_start == one.children[0].bit_start
            last = one.children[-1]
            assert one.bit_start + one.bit_length == last.bit_start + last.bit_length, one


def other_frames():
    """ARP, ICMP, ICMPv6, fragments, tags in tags, and what is none of these."""
    mac, zero = bytes.fromhex("c6fe50adabdc"), bytes(6)
    arp = struct.pack(
        ">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac, packets.packed("10.0.0.1"), zero, packets.packed("10.0.0.2")
    )
    yield b"\xff" * 6 + mac + b"\x08\x06" + arp + bytes(18)
    echo = struct.pack(">BBHHH", 8, 0, 0, 7, 1) + b"abcdefgh"
    echo = echo[:2] + struct.pack(">H", packets.checksum(echo)) + echo[4:]
    yield packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", echo, 1))
    echo6 = struct.pack(">BBHHH", 128, 0, 0, 7, 1) + b"abcdefgh"
    pseudo = packets.packed("fd00::1") + packets.packed("fd00::2") + struct.pack(">II", len(echo6), 58)
    echo6 = echo6[:2] + struct.pack(">H", packets.checksum(pseudo + echo6)) + echo6[4:]
    yield packets.link(1, packets.ipv6("fd00::1", "fd00::2", echo6, 58))
    segment = packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, 3, 4, 24, payload=b"x" * 28)
    yield packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", segment[:24], fragment=0x2000))
    yield packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", segment[24:], fragment=3))
    yield packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", segment), tags=(5, 6, 7), pad=True)
    yield b"\0" * 12 + b"\x88\xb5" + b"nothing known"
