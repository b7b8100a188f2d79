"""Where the IP packet begins in a frame, for each kind of link.

    Ethernet (1)          destination 6 | source 6 | type 2 | [802.1Q tag 2 | type 2]... | packet Linux
    cooked (113)    kind 2 | hardware 2 | address length 2 | address 8 | type 2 | packet Linux cooked v2
    (276) type 2 | reserved 2 | interface 4 | hardware 2 | kind 1 | length 1 | address 8 | packet null (0),
    loop (108)  address family 4, in the recording machine's byte order | packet raw IP (101 and kin)
    packet

All frames of one link type are looked at in one go. The type that the link header names (0x0800, 0x86DD)
decides which IP it is; null and raw links name none of the two, so there the packet's own version number
decides.
"""

import numpy as np

from lab.dissect.bytes_view import gather

LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_LOOP, LINK_SLL = 0, 1, 101, 108, 113
LINK_IPV4, LINK_IPV6, LINK_SLL2 = 228, 229, 276
RAW_LINKS = (12, 14, LINK_RAW)  # 12 and 14: what some systems write for raw IP

TYPE_IPV4, TYPE_IPV6 = 0x0800, 0x86DD
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
MOST_TAGS = 32  # VLAN tags in a row; real networks use two

FAMILY_IPV4 = 2
FAMILIES_IPV6 = (10, 23, 24, 28, 30)  # Linux, Windows, NetBSD, FreeBSD, macOS

_TYPE = np.dtype(">u2")


def find_packets(data: np.ndarray, start: np.ndarray, end: np.ndarray, link_type: int):
    """Where IP packets begin (int64, bytes into DATA) and which IP each is (uint8: 4, 6, or 0 for none).

    START and END bound the captured bytes of each frame, all of them of LINK_TYPE.
    """
    if link_type == LINK_ETHERNET:
        return _by_type(data, start + 12, start + 14, end)
    if link_type == LINK_SLL:
        return _by_type(data, start + 14, start + 16, end)
    if link_type == LINK_SLL2:
        return _by_type(data, start, start + 20, end)
    if link_type in (LINK_NULL, LINK_LOOP):
        return _by_family(data, start, end)
    if link_type in RAW_LINKS:
        version = gather(data, start, np.dtype("u1")) >> 4
        return start, np.where((end > start) & ((version == 4) | (version == 6)), version, 0).astype(np.uint8)
    version = {LINK_IPV4: 4, LINK_IPV6: 6}.get(link_type, 0)
    return start, np.full(len(start), version, np.uint8)


def _by_type(data, type_at, packet, end):
    kind = np.where(packet <= end, gather(data, type_at, _TYPE), 0)
    for _ in range(MOST_TAGS):
        tagged = np.isin(kind, VLAN_TYPES) if (kind != TYPE_IPV4).any() else np.zeros(1, bool)
        if not tagged.any():
            break
        # A tag is two bytes of priority and network number, then the type of what really follows.
        packet = packet + np.where(tagged, 4, 0)
        inner = np.where(packet <= end, gather(data, packet - 2, _TYPE), 0)
        kind = np.where(tagged, inner, kind)
    version = np.zeros(len(kind), np.uint8)
    version[kind == TYPE_IPV4] = 4
    version[kind == TYPE_IPV6] = 6
    return packet, version


def _by_family(data, start, end):
    little = np.where(start + 4 <= end, gather(data, start, np.dtype("<u4")), 0)
    family = np.where(little > 0xFFFF, little.astype(np.uint32).byteswap(), little)
    version = np.zeros(len(start), np.uint8)
    version[family == FAMILY_IPV4] = 4
    version[np.isin(family, FAMILIES_IPV6)] = 6
    return start + 4, version
