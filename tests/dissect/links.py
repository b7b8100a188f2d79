"""Frames with a header between link and packet (LLC and SNAP, PPPoE, MPLS), and frames that the kit does not read."""

import struct

from tests.dissect import packets
from tests.dissect.packets import ACK

MACS = bytes.fromhex("18c04ddfaa43c6fe50adabdc")
A, B = "10.0.0.1", "10.0.0.2"


def ether_type(packet: bytes) -> int:
    return {4: 0x0800, 6: 0x86DD}[packet[0] >> 4]


def ethernet(kind: int, content: bytes) -> bytes:
    return MACS + struct.pack(">H", kind) + content


def snap(packet: bytes) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", ether_type(packet)) + packet


def pppoe(packet: bytes) -> bytes:
    protocol = {4: 0x0021, 6: 0x0057}[packet[0] >> 4]
    return struct.pack(">BBHHH", 0x11, 0, 7, len(packet) + 2, protocol) + packet


def mpls(packet: bytes, *labels: int) -> bytes:
    stack = (label << 12 | (i == len(labels) - 1) << 8 | 64 for i, label in enumerate(labels))
    return b"".join(struct.pack(">I", entry) for entry in stack) + packet


def tagged(kind: int, content: bytes) -> bytes:
    return struct.pack(">HH", 5, kind) + content


def cooked(kind: int, content: bytes) -> bytes:
    return struct.pack(">HHH8sH", 4, 1, 6, MACS[6:] + b"\0\0", kind) + content


def cooked_2(kind: int, content: bytes) -> bytes:
    return struct.pack(">HHIHBB8s", kind, 0, 3, 1, 4, 6, MACS[6:] + b"\0\0") + content


# By name: (link type, how a packet becomes a frame). tshark has a row for a segment in each.
READ = {
    "SNAP": (1, lambda packet: ethernet(len(packet) + 8, snap(packet))),
    "SNAP, filled up": (1, lambda packet: ethernet(len(packet) + 8, snap(packet)) + b"\xff" * 9),
    "LLC without SNAP": (1, lambda packet: ethernet(len(packet) + 3, b"\6\6\3" + packet)),
    "SNAP in a VLAN": (1, lambda packet: ethernet(0x8100, tagged(len(packet) + 8, snap(packet)))),
    "PPPoE": (1, lambda packet: ethernet(0x8864, pppoe(packet))),
    "PPPoE in a VLAN": (1, lambda packet: ethernet(0x88A8, tagged(0x8864, pppoe(packet)))),
    "MPLS": (1, lambda packet: ethernet(0x8847, mpls(packet, 16))),
    "MPLS, three labels": (1, lambda packet: ethernet(0x8847, mpls(packet, 16, 1000, 2))),
    "MPLS multicast in a VLAN": (1, lambda packet: ethernet(0x8100, tagged(0x8848, mpls(packet, 99, 3)))),
    "cooked SNAP": (113, lambda packet: cooked(4, snap(packet))),
    "cooked PPPoE": (113, lambda packet: cooked(0x8864, pppoe(packet))),
    "cooked v2 SNAP": (276, lambda packet: cooked_2(4, snap(packet))),
    "cooked v2 MPLS": (276, lambda packet: cooked_2(0x8847, mpls(packet, 16))),
}


def read_packets() -> list[bytes]:
    """Packets of one conversation, IPv4 and IPv6."""
    found = []
    for source, destination, wrap in ((A, B, packets.ipv4), ("fd00::1", "fd00::2", packets.ipv6)):
        for ends, seq, ack in (((source, destination, 5, 6), 10, 90), ((destination, source, 6, 5), 90, 15)):
            found.append(wrap(*ends[:2], packets.tcp(*ends, seq, ack, ACK, payload=b"hello")))
    return found


def not_read() -> list[tuple[int, str, bytes]]:
    """(link type, name, frame) of frames that have no row."""
    segment = packets.tcp(A, B, 1, 2, 3, 4, ACK, payload=b"x" * 40)
    packet = packets.ipv4(A, B, segment)
    later = packets.ipv4(A, B, segment[24:], fragment=3)
    later_6 = packets.ipv6("fd00::1", "fd00::2", segment[24:], extensions=[(44, b"\0\0\x18\0\0\0\7")])
    udp = struct.pack(">HHHH", 53, 53, 12, 0) + b"mdns"
    return [
        (1, "GRE", packets.link(1, packets.ipv4(A, B, b"\0\0\x08\0" + packet, 47))),
        (1, "GRE", packets.link(1, packets.ipv4(A, B, b"\0\0\x08\0" + packet, 47))),
        (1, "IPv4 in IP", packets.link(1, packets.ipv4(A, B, packet, 4))),
        (1, "IPv6 in IP", packets.link(1, packets.ipv4(A, B, later_6, 41))),
        (1, "fragments", packets.link(1, later)),
        (1, "fragments", packets.link(1, later_6)),
        (1, "fragments", packets.link(1, packets.ipv4(A, B, udp, 17, fragment=0x2000))),
        (1, "UDP", packets.link(1, packets.ipv4(A, B, udp, 17))),
        (1, "UDP", packets.link(1, packets.ipv6("fd00::1", "fd00::2", udp, 17))),
        (1, "ARP", ethernet(0x0806, bytes(28))),
        (1, "LLC", ethernet(3, b"\x42\x42\3")),
        (1, "PPPoE", ethernet(0x8864, struct.pack(">BBHHH", 0x11, 0, 7, 6, 0xC021) + b"\1\1\0\4")),
        (1, "MPLS", ethernet(0x8847, mpls(b"\0\0\0\0" + MACS, 16))),
        (1, "EtherType 0x88b5", ethernet(0x88B5, b"private")),
        (1, "IP protocol 200", packets.link(1, packets.ipv4(A, B, b"any", 200))),
        (1, "damaged headers", ethernet(0x0800, b"\x55" + packet[1:])),
        (1, "headers cut short", packets.link(1, packets.ipv4(A, B, segment[:15]))),
        (1, "headers cut short", MACS),
        (9, "PPP", b"\xff\3\0\x21" + packet),
        (104, "Cisco HDLC", b"\x0f\0\x08\0" + packet),
        (239, "nflog", b"\2\0\0\0" + packet),
        (77, "link type 77", b"whatever"),
        (0, "unknown protocols", struct.pack("<I", 7) + packet),
    ]
