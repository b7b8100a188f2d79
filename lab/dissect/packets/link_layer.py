"""Find the IP packet in a frame, for each kind of link.

    Ethernet (1)       destination 6 | source 6 | type 2 | ... | packet
    cooked (113)       kind 2 | hardware 2 | address length 2 | address 8 | type 2 | ... | packet
    cooked v2 (276)    type 2 | reserved 2 | interface 4 | hardware 2 | kind 1 | length 1 | address 8 | ...
    null (0)           address family 4, in the recording machine's byte order | packet
    loop (108)         address family 4 | packet
    raw IP (101, ...)  packet

Where there are dots, the type may name another header, which names what follows in its turn:

    0x8100, 0x88a8, 0x9100  VLAN tag      priority, network 2 | type 2
    0x8864                  PPPoE         version, kind 1 | code 1 | session 2 | length 2 | PPP protocol 2
    0x8847, 0x8848          MPLS          label 20 bits, class 3, last one 1, ttl 8 | label or packet
    up to 1500              LLC and SNAP  AA AA 03 | 00 00 00 | type 2; the number is a length (IEEE 802.3)

All frames of one link type are read in one go. The type decides which IP it is. Raw links and MPLS do not
name it, so there the packet's own version number decides. PPP, HDLC, nflog and other links are not read
(``other_frames`` counts them).
"""

import numpy as np

from lab.dissect.files.bytes_view import Column, gather

LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_LOOP, LINK_SLL = 0, 1, 101, 108, 113
LINK_IPV4, LINK_IPV6, LINK_SLL2 = 228, 229, 276
RAW_LINKS = (12, 14, LINK_RAW)  # 12 and 14: what some systems write for raw IP
READ_LINKS = (LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_SLL, LINK_SLL2, LINK_IPV4, LINK_IPV6, *RAW_LINKS)

TYPE_IPV4, TYPE_IPV6 = 0x0800, 0x86DD
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
TYPE_PPPOE, MPLS_TYPES = 0x8864, (0x8847, 0x8848)
SLL_LLC = 4  # the type that a cooked capture has for LLC, in place of a length
LONGEST_LLC = 1500  # bytes; up to here a type is a length
MOST_HEADERS = 32  # headers in a row between link and packet; real networks use two or three

# Numbers that no type has, for what is found where a type should be.
CUT_SHORT, OTHER_LLC, OTHER_PPPOE, OTHER_MPLS, UNKNOWN = 0, 1501, 1502, 1503, 1504

FAMILY_IPV4 = 2
FAMILIES_IPV6 = (10, 23, 24, 28, 30)  # Linux, Windows, NetBSD, FreeBSD, macOS

_TYPE = np.dtype(">u2")
_LLC = np.dtype([("saps", ">u2"), ("control", "u1"), ("oui", "V3"), ("type", ">u2")])
_SNAP, _LLC_IP, _UNNUMBERED = 0xAAAA, 0x0606, 3


def find_packets(data: Column, start: Column, end: Column, link_type: int) -> tuple[Column, Column]:
    """Return where packets begin (int64) and the type of each (uint16): as on Ethernet, or one of those above.

    ``start`` and ``end`` bound the captured bytes of each frame, all of them of ``link_type``.
    """
    if link_type == LINK_ETHERNET:
        return _by_type(data, start + 12, start + 14, end)
    if link_type == LINK_SLL:
        return _by_type(data, start + 14, start + 16, end, cooked=True)
    if link_type == LINK_SLL2:
        return _by_type(data, start, start + 20, end, cooked=True)
    if link_type in (LINK_NULL, LINK_LOOP):
        return start + 4, _by_family(data, start, end)
    if link_type in RAW_LINKS:
        return start, _by_version(data, start, end, UNKNOWN)
    kind = {LINK_IPV4: TYPE_IPV4, LINK_IPV6: TYPE_IPV6}.get(link_type, UNKNOWN)
    return start, np.full(len(start), kind, np.uint16)


def _by_type(
    data: Column, type_at: Column, packet: Column, end: Column, cooked: bool = False
) -> tuple[Column, Column]:
    kind = np.where(packet <= end, gather(data, type_at, _TYPE), CUT_SHORT).astype(np.uint16)
    if cooked and (kind <= LONGEST_LLC).any():
        kind[(kind <= LONGEST_LLC) & (kind != SLL_LLC)] = UNKNOWN
    for _ in range(MOST_HEADERS):
        # In nearly every chunk all frames are IPv4, and that is quick to see.
        if (kind == TYPE_IPV4).all():
            break
        rows = np.flatnonzero(_HEADER[kind])
        if len(rows) == 0:
            break
        for number, follow in enumerate(_FOLLOW, 1):
            chosen = rows[_HEADER[kind[rows]] == number]
            if len(chosen):
                packet[chosen], inner = follow(data, packet[chosen], end[chosen], kind[chosen])
                kind[chosen] = np.where(packet[chosen] <= end[chosen], inner, CUT_SHORT)
    return packet, kind


def _vlan(data: Column, at: Column, end: Column, kind: Column) -> tuple[Column, Column]:
    return at + 4, gather(data, at + 2, _TYPE)


def _llc(data: Column, at: Column, end: Column, kind: Column) -> tuple[Column, Column]:
    header = gather(data, at, _LLC)
    unnumbered = header["control"] == _UNNUMBERED
    plain = unnumbered & (header["saps"] == _LLC_IP)
    snap = unnumbered & (header["saps"] == _SNAP) & (header["oui"] == np.void(bytes(3)))
    kind = np.where(plain, TYPE_IPV4, np.where(snap, header["type"], OTHER_LLC))
    return at + np.where(snap, 8, 3), np.where(snap & (kind <= LONGEST_LLC), OTHER_LLC, kind)


def _pppoe(data: Column, at: Column, end: Column, kind: Column) -> tuple[Column, Column]:
    protocol = gather(data, at + 6, _TYPE)
    return at + 8, np.where(protocol == 0x21, TYPE_IPV4, np.where(protocol == 0x57, TYPE_IPV6, OTHER_PPPOE))


def _mpls(data: Column, at: Column, end: Column, kind: Column) -> tuple[Column, Column]:
    last = gather(data, at + 2, np.dtype("u1")) & 1 == 1
    return at + 4, np.where(last, _by_version(data, at + 4, end, OTHER_MPLS), kind)


_FOLLOW = (_vlan, _llc, _pppoe, _mpls)
_HEADER = np.zeros(1 << 16, np.uint8)  # by type: 0, or 1 + the place in _FOLLOW of what follows it
_HEADER[list(VLAN_TYPES)] = 1
_HEADER[1 : LONGEST_LLC + 1] = 2
_HEADER[TYPE_PPPOE] = 3
_HEADER[list(MPLS_TYPES)] = 4


def _by_version(data: Column, at: Column, end: Column, otherwise: int) -> Column:
    version = np.where(at < end, gather(data, at, np.dtype("u1")) >> 4, 0)
    return np.select([version == 4, version == 6], [TYPE_IPV4, TYPE_IPV6], otherwise).astype(np.uint16)


def _by_family(data: Column, start: Column, end: Column) -> Column:
    little = np.where(start + 4 <= end, gather(data, start, np.dtype("<u4")), 0)
    family = np.where(little > 0xFFFF, little.astype(np.uint32).byteswap(), little)
    kind = np.full(len(start), UNKNOWN, np.uint16)
    kind[family == FAMILY_IPV4] = TYPE_IPV4
    kind[np.isin(family, FAMILIES_IPV6)] = TYPE_IPV6
    return kind
