"""The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.

Whoever sums a header together with a right checksum gets 0xFFFF. TCP, UDP and ICMPv6 also sum a
*pseudo-header* of addresses, length and protocol number, so that a packet delivered to the wrong host is
noticed (RFC 9293 section 3.1).

Many network cards fill the checksum in ("offload"). A capture on the sending machine is taken before that
and shows what the system left for the card: the sum of the pseudo-header alone, or zero. That is not an
error on the wire.
"""

import struct

RIGHT, WRONG, OFFLOADED, NOT_JUDGED = "right", "wrong", "offloaded", "not judged"


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of DATA as 16-bit words; an odd last byte counts as if a zero followed."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """For IPv4 (addresses of 4 bytes) or IPv6 (of 16; RFC 8200 section 8.1). LENGTH is header and payload,
    bytes.
    """
    if len(source) == 4:
        return source + destination + struct.pack(">BBH", 0, protocol, length & 0xFFFF)
    return source + destination + struct.pack(">II", length, protocol)


def judge(covered: bytes, stored: int, pseudo: bytes = b"") -> tuple[str, int]:
    """(RIGHT, WRONG or OFFLOADED, what the checksum should be). COVERED includes the checksum STORED in
    it.
    """
    total = ones_sum(pseudo + covered)
    without = total - stored
    if without <= 0:
        without += 0xFFFF
    should_be = ~without & 0xFFFF
    if total == 0xFFFF:
        return RIGHT, stored
    if pseudo and stored in (ones_sum(pseudo), 0):
        return OFFLOADED, should_be
    if not pseudo and stored == 0:
        return OFFLOADED, should_be
    return WRONG, should_be
