"""Name the frames of a capture that have no row in ``segments``, so that nobody overlooks them.

Each has one name: of its link type (PPP), of what the link carries (ARP), of what IP carries (UDP, GRE), or
of the reason why its TCP header could not be read (a fragment, a header that is damaged or cut short).
"""

from collections.abc import Iterator

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.files.capture import Capture
from lab.dissect.packets import link_layer
from lab.dissect.packets.ip_layer import EXTENSIONS_IPV6, TCP, Carried, read_ipv4, read_ipv6
from lab.dissect.packets.link_layer import find_packets
from lab.dissect.packets.network_names import ETHER_TYPES, LINK_TYPES, PROTOCOLS
from lab.dissect.text import counted

FRAGMENTS, DAMAGED, CUT_SHORT = "fragments", "damaged headers", "headers cut short"
_COUNTED = (FRAGMENTS, DAMAGED, CUT_SHORT)  # the others are protocols: "12 frames of GRE"
_TYPE_NAMES = ETHER_TYPES | {
    link_layer.CUT_SHORT: CUT_SHORT,
    link_layer.OTHER_LLC: "LLC",
    link_layer.OTHER_PPPOE: "PPPoE",
    link_layer.OTHER_MPLS: "MPLS",
    link_layer.UNKNOWN: "unknown protocols",
}
_TUNNELS = {4: "IPv4 in IP", 41: "IPv6 in IP", 137: "MPLS in IP", 59: "IPv6 without content"}


def name_frames(capture: Capture, numbers: Column) -> dict[str, Column]:
    """Return the frames ``numbers`` by name, the most frequent name first: {"GRE": frame numbers, ...}."""
    found: dict[str, list[Column]] = {}
    links = capture.link_types(numbers - 1)
    for link in np.unique(links).tolist():
        frames = numbers[links == link]
        for name, chosen in _by_link(capture, frames, link):
            found.setdefault(name, []).append(chosen)
    joined = {name: np.sort(np.concatenate(pieces)) for name, pieces in found.items()}
    return dict(sorted(joined.items(), key=lambda item: (-len(item[1]), item[0])))


def describe(counts: dict[str, int]) -> str:
    """Return how many frames each name has: "12 frames of GRE, 3 fragments"; "" for no frames."""
    parts = []
    for name, count in counts.items():
        if name in _COUNTED:
            parts.append(f"{count} {name if count > 1 else name.replace('s', '', 1)}")
        else:
            parts.append(f"{counted(count, 'frame')} of {name}")
    return ", ".join(parts)


def _by_link(capture: Capture, frames: Column, link: int) -> Iterator[tuple[str, Column]]:
    start = capture.offset[frames - 1]
    end = start + capture.captured_length[frames - 1]
    wire_end = start + capture.original_length[frames - 1]
    if link in LINK_TYPES:
        yield LINK_TYPES[link], frames
        return
    packet, kind = find_packets(capture.data, start, end, link)
    for one in np.unique(kind).tolist():
        chosen = kind == one
        if one not in (link_layer.TYPE_IPV4, link_layer.TYPE_IPV6):
            name = _TYPE_NAMES.get(one, f"EtherType 0x{one:04x}")
            yield name if link in link_layer.READ_LINKS else f"link type {link}", frames[chosen]
            continue
        read = read_ipv4 if one == link_layer.TYPE_IPV4 else read_ipv6
        carried = read(capture.data, packet[chosen], end[chosen], wire_end[chosen])
        yield from _by_protocol(frames[chosen], carried, end[chosen] - packet[chosen])


def _by_protocol(frames: Column, carried: Carried, captured: Column) -> Iterator[tuple[str, Column]]:
    short = captured < (20 if carried.source.dtype == np.uint64 else 40)  # bytes of the header of IPv4, IPv6
    fragment = carried.sound & (carried.first_fragment | carried.later_fragment)
    for name, chosen in ((CUT_SHORT, short), (DAMAGED, ~carried.sound & ~short), (FRAGMENTS, fragment)):
        if chosen.any():
            yield name, frames[chosen]
    rest = carried.sound & ~fragment
    for protocol in np.unique(carried.protocol[rest]).tolist():
        if protocol == TCP or protocol in EXTENSIONS_IPV6:
            name = CUT_SHORT
        else:
            name = _TUNNELS.get(protocol) or PROTOCOLS.get(protocol, f"IP protocol {protocol}")
        yield name, frames[rest & (carried.protocol == protocol)]
