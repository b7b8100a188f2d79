"""The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.

The sum of a header together with its right checksum is 0xFFFF. TCP, UDP and ICMPv6 also sum a *pseudo-header*
of addresses, length and protocol number, so that a packet delivered to the wrong host is noticed (RFC 9293
section 3.1).

Many network cards fill the checksum in ("offload"). A capture on the sending machine is taken before that and
shows what the system left for the card: the sum of the pseudo-header alone, or zero. That is not an error on
the wire.
"""

import struct

from lab.dissect.fields.tree import Cursor, Field

RIGHT, WRONG, OFFLOADED, NOT_JUDGED = "right", "wrong", "offloaded", "not judged"
NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}  # of protocols, by a layer's key

MORE_FRAGMENTS = {"ip": "ip.flags.mf", "ipv6.fraghdr": "ipv6.fraghdr.more"}


def ones_sum(data: bytes) -> int:
    """Return the ones' complement sum of 16-bit words; an odd last byte counts as if a zero followed."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """Return that of IPv4 or IPv6 (RFC 8200 section 8.1); ``length`` is header and payload."""
    if len(source) == 4:
        return source + destination + struct.pack(">BBH", 0, protocol, length & 0xFFFF)
    return source + destination + struct.pack(">II", length, protocol)


def judge_payload(made: Field, cursor: Cursor, layers: list[Field]) -> None:
    """Judge the checksum of what an IP packet carries, from the layer ``made`` to the cursor's end.

    It covers the IP addresses too, except ICMP's. That of a fragment cannot be judged.
    """
    checksum, number = made.find(f"{made.key}.checksum"), NUMBERS[made.key]
    protects = "the message" if made.key == "icmp" else "header, payload and addresses"
    network = next((one for one in reversed(layers) if one.key in ("ip", "ipv6")), None)
    is_fragment = any(one.get(MORE_FRAGMENTS[one.key]) for one in layers if one.key in MORE_FRAGMENTS)
    if network is None or is_fragment:
        return judge(checksum, protects, None)
    size, total = (4, network.get("ip.len")) if network.key == "ip" else (16, network.get("ipv6.plen") + 40)
    if total and network.start + total != cursor.end:
        return judge(checksum, protects, None)
    covered, pseudo = cursor.data[made.start : cursor.end], b""
    if made.key != "icmp":
        source, destination = (network.get(f"{network.key}.{end}") for end in ("src", "dst"))
        ends = source.to_bytes(size, "big"), destination.to_bytes(size, "big")
        pseudo = pseudo_header(*ends, number, len(covered))
    return judge(checksum, protects, covered, pseudo)


def judge(checksum: Field, protects: str, covered: bytes | None, pseudo: bytes = b"") -> None:
    """Write into the field whether it is right for the bytes ``covered``, with it; None: not captured."""
    if covered is None:
        checksum.judgement = NOT_JUDGED
        found = "not all of what it covers was captured, so it cannot be judged"
    else:
        stored, total = checksum.value, ones_sum(pseudo + covered)
        without = total - stored if total > stored else total - stored + 0xFFFF
        should_be = f"0x{~without & 0xFFFF:04x}"
        if total == 0xFFFF:
            checksum.judgement, found = RIGHT, "computed again, it is right"
        elif stored == 0 or (pseudo and stored == ones_sum(pseudo)):
            checksum.judgement = OFFLOADED
            found = f"not filled in yet; the network card does that (it will be {should_be})"
        else:
            checksum.judgement = WRONG
            changed = "the bytes were changed on the way, or never right"
            found = f"computed again, it should be {should_be}: {changed}"
    checksum.meaning = f"Protects {protects}: {found}."
