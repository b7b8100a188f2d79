"""Find the payload of IP packets and its protocol, for a whole column of packets at once.

    IPv4  version 4, header words 4 | tos 1 | total length 2 | id 2 | flags 3, offset 13
          ttl 1 | protocol 1 | sum 2 | source 4 | destination 4 | options                          (RFC 791)
    IPv6  version 4, class 8, label 20 | payload length 2 | next header 1 | hop limit 1
          source 16 | destination 16 | extension headers                                           (RFC 8200)

Extension headers are skipped, and so is IPv4's authentication header. Fragments are marked, not reassembled.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import numpy as np

from lab.dissect.files.bytes_view import Column, gather

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FRAGMENT_HEADER, AUTHENTICATION, NOTHING_MORE = 44, 51, 59
EXTENSIONS_IPV6 = (0, 43, 44, 51, 60, 135, 139, 140)  # RFC 8200 section 4, RFC 7045
MOST_EXTENSIONS = 64  # headers in a row that are followed

_FIRST = [("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2")]
_THEN = [("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("source", ">u4"), ("destination", ">u4")]
_IPV4 = np.dtype(_FIRST + _THEN)
_LABEL = [("label", ">u4"), ("length", ">u2"), ("next", "u1"), ("hops", "u1")]
_IPV6 = np.dtype([*_LABEL, ("source", "S16"), ("destination", "S16")])
_EXTENSION = np.dtype([("next", "u1"), ("length", "u1"), ("fragment", ">u2")])


class Carried(NamedTuple):
    """One item a packet in each array. Where ``sound`` is False the others mean nothing."""

    sound: Column  # bool: the IP header is whole and does not contradict itself
    source: Column  # uint64 for IPv4, S16 for IPv6
    destination: Column
    protocol: Column  # uint8, behind all extension headers
    at: Column  # int64, where the payload begins
    limit: Column  # int64, where the captured bytes of it end
    packet_end: Column  # int64, where it ends on the wire
    first_fragment: Column  # bool
    later_fragment: Column  # bool


def ipv4_text(value: int) -> str:
    return str(IPv4Address(value))


def ipv6_text(value: int) -> str:
    """Return the text of an IPv6 address; an IPv4 address inside it is written as one, as by Wireshark."""
    if value >> 32 == 0xFFFF or 0xFFFF < value < 1 << 32:
        return ("::ffff:" if value >> 32 else "::") + ipv4_text(value & 0xFFFFFFFF)
    return str(IPv6Address(value))


def read_ipv4(data: Column, packet: Column, end: Column, wire_end: Column) -> Carried:
    """Read the packets at ``packet``; the file holds them up to ``end``, the wire had ``wire_end``."""
    header = gather(data, packet, _IPV4)
    header_length = (header["version"] & 15).astype(np.int64) * 4
    total = header["total"].astype(np.int64)
    # Cards that cut large segments up themselves (offload) leave a total length of 0: the frame decides.
    packet_end = np.where(total == 0, wire_end, np.minimum(packet + total, wire_end))
    protocol, at, fragment = header["protocol"], packet + header_length, header["fragment"]
    sound = (header["version"] >> 4 == 4) & (header_length >= 20) & (packet + 20 <= end)
    sound &= (total >= header_length) | (total == 0)
    later = fragment & 0x1FFF != 0
    limit = np.minimum(end, packet_end)
    if (protocol[sound] == AUTHENTICATION).any():
        protocol, at, _, _ = _skip_extensions(data, protocol.copy(), at, limit, (AUTHENTICATION,))
    ends = header["source"].astype(np.uint64), header["destination"].astype(np.uint64)
    return Carried(sound, *ends, protocol, at, limit, packet_end, fragment & 0x2000 != 0, later)


def read_ipv6(data: Column, packet: Column, end: Column, wire_end: Column) -> Carried:
    """Read the packets that begin at ``packet``, as ``read_ipv4`` does."""
    header = gather(data, packet, _IPV6)
    packet_end = np.minimum(packet + 40 + header["length"], wire_end)
    limit = np.minimum(end, packet_end)
    sound = (header["label"] >> 28 == 6) & (packet + 40 <= end)
    following = np.where(sound, header["next"], NOTHING_MORE).astype(np.uint8)
    protocol, at, first, later = _skip_extensions(data, following, packet + 40, limit, EXTENSIONS_IPV6)
    ends = header["source"], header["destination"]
    return Carried(sound, *ends, protocol, at, limit, packet_end, first, later)


def _skip_extensions(
    data: Column, protocol: Column, at: Column, limit: Column, extensions: tuple[int, ...]
) -> tuple[Column, Column, Column, Column]:
    """Skip extension headers; return protocol, its place, and whether it is a first or a later fragment."""
    at = at.copy()
    fragment, later = np.zeros(len(at), bool), np.zeros(len(at), bool)
    known = np.zeros(256, bool)
    known[list(extensions)] = True
    for _ in range(MOST_EXTENSIONS):
        here = np.flatnonzero(known[protocol] & (at + 8 <= limit) & ~later)
        if len(here) == 0:
            break
        header, kind = gather(data, at[here], _EXTENSION), protocol[here]
        length = header["length"].astype(np.int64)
        size = np.where(kind == AUTHENTICATION, (length + 2) * 4, (length + 1) * 8)
        at[here] += np.where(kind == FRAGMENT_HEADER, 8, size)
        fragments = kind == FRAGMENT_HEADER
        fragment[here] |= fragments & (header["fragment"] & 1 != 0)
        later[here] |= fragments & (header["fragment"] >> 3 != 0)
        protocol[here] = header["next"]
    return protocol, at, fragment, later
