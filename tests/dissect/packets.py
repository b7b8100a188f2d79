"""Building packets from parts, for tests: written apart from lab.dissect, so that a mistake is not made
twice.
"""

import ipaddress
import struct

ETHERNET, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def tcp(
    source, destination, sport, dport, seq, ack, flags, window=64240, options=b"", payload=b"", urgent=0
) -> bytes:
    options += b"\0" * (-len(options) % 4)
    words = (20 + len(options)) // 4
    header = struct.pack(
        ">HHIIHHHH", sport, dport, seq % 2**32, ack % 2**32, words << 12 | flags, window, 0, urgent
    )
    segment = header + options + payload
    pseudo = packed(source) + packed(destination)
    if len(pseudo) == 8:
        pseudo += struct.pack(">BBH", 0, 6, len(segment))
    else:
        pseudo += struct.pack(">II", len(segment), 6)
    return segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]


def ipv4(source, destination, payload, protocol=6, options=b"", ident=1, fragment=0x4000, ttl=64) -> bytes:
    options += b"\0" * (-len(options) % 4)
    words = (20 + len(options)) // 4
    header = struct.pack(
        ">BBHHHBBH4s4s",
        *(0x40 | words, 0, words * 4 + len(payload), ident, fragment, ttl, protocol, 0),
        *(packed(source), packed(destination)),
    )
    header += options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, payload, protocol=6, extensions=()) -> bytes:
    """EXTENSIONS: (kind, bytes behind its next-header byte) of each, outermost first."""
    kinds = [kind for kind, _ in extensions] + [protocol]
    body = b"".join(bytes([kinds[i + 1]]) + content for i, (_, content) in enumerate(extensions)) + payload
    return (
        struct.pack(">IHBB", 0x60000000, len(body), kinds[0], 64)
        + packed(source)
        + packed(destination)
        + body
    )


def link(kind: int, packet: bytes, tags=(), pad=False) -> bytes:
    version = packet[0] >> 4
    ethertype = {4: 0x0800, 6: 0x86DD}[version]
    if kind == ETHERNET:
        frame = bytes.fromhex("18c04ddfaa43c6fe50adabdc")
        for tag in tags:
            frame += struct.pack(">HH", 0x8100, tag)
        frame += struct.pack(">H", ethertype) + packet
        return frame + b"\0" * (60 - len(frame)) if pad else frame
    if kind == SLL:
        return struct.pack(">HHH8sH", 4, 1, 6, b"\xc6\xfe\x50\xad\xab\xdc", ethertype) + packet
    if kind == SLL2:
        return struct.pack(">HHIHBB8s", ethertype, 0, 3, 1, 4, 6, b"\xc6\xfe\x50\xad\xab\xdc") + packet
    if kind == NULL:
        return struct.pack("<I", 2 if version == 4 else 30) + packet
    if kind == LOOP:
        return struct.pack(">I", 2 if version == 4 else 24) + packet
    return packet


# --- files ---


def pcap(frames, link_type=1, order="<", nanoseconds=False, snap_length=262144) -> bytes:
    """FRAMES: (time in ns, captured bytes, original length)."""
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap_length, link_type)]
    for time_ns, data, original in frames:
        seconds, rest = divmod(time_ns, 10**9)
        out.append(struct.pack(order + "IIII", seconds, rest // unit, len(data), original) + data)
    return b"".join(out)


def block(kind: int, body: bytes, order="<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = 12 + len(body)
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def option(code: int, value: bytes, order="<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(order="<", comment="made by a test") -> bytes:
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(0x0A0D0D0A, body + option(1, comment.encode(), order) + option(0, b"", order), order)


def interface(link_type=1, order="<", snap_length=0, resolution=9, name="lo", offset_s=0) -> bytes:
    options = option(2, name.encode(), order) + option(9, bytes([resolution]), order)
    if offset_s:
        options += option(14, struct.pack(order + "q", offset_s), order)
    body = struct.pack(order + "HHI", link_type, 0, snap_length) + options + option(0, b"", order)
    return block(1, body, order)


def packet(units: int, data: bytes, original: int, number=0, order="<", comment="") -> bytes:
    body = struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data), original)
    body += data + b"\0" * (-len(data) % 4)
    if comment:
        body += option(1, comment.encode(), order) + option(0, b"", order)
    return block(6, body, order)


def old_packet(units: int, data: bytes, original: int, number=0, order="<") -> bytes:
    body = struct.pack(order + "HHIIII", number, 0, units >> 32, units & 0xFFFFFFFF, len(data), original)
    return block(2, body + data, order)


def simple_packet(data: bytes, original: int, order="<") -> bytes:
    return block(3, struct.pack(order + "I", original) + data, order)
