"""From frames to the columns of TCP segments, a chunk of frames at a time.

In each chunk ``gather`` copies all IP headers out of the file in one call, then all TCP headers; the rest is
arithmetic on whole columns. Each step keeps the rows that may still be TCP and drops the others. Payloads are
not copied: a segment remembers where its payload is in the file.
"""

from dataclasses import dataclass

import numpy as np

from lab.dissect.files.bytes_view import Column, gather
from lab.dissect.files.capture import Capture
from lab.dissect.packets.ip_layer import Carried, read_ipv4, read_ipv6
from lab.dissect.packets.link_layer import TYPE_IPV4, TYPE_IPV6, find_packets
from lab.dissect.tcp.flow_numbers import FlowNumbers

# What ``notes`` can say of a segment.
FRAGMENT = 1  # the first fragment of an IP packet: the segment's own length is not known
BAD_HEADER = 2  # the TCP header claims less than 20 bytes, or more than there is
CUT = 4  # the snap length cut the payload off
NO_LENGTH = 8  # a fragment, or a header that claims to be longer than the packet

TCP = 6
TCP_READ = 16  # bytes of the TCP header that a row needs
IPV6_NUMBER = 1 << 32  # addresses as numbers: IPv4 as itself, IPv6 as this plus its place in a table

_PORTS = [("source", ">u2"), ("destination", ">u2")]
_TCP = np.dtype([*_PORTS, ("seq", ">u4"), ("ack", ">u4"), ("flags", ">u2"), ("window", ">u2")])


@dataclass(eq=False, repr=False)
class SegmentColumns:
    """The columns that are read from the file; ``Segments`` describes each."""

    number: Column
    src: Column
    dst: Column
    sport: Column
    dport: Column
    seq: Column
    ack: Column
    relative_seq: Column
    relative_ack: Column
    flags: Column
    window: Column
    header_length: Column
    payload_offset: Column
    payload_length: Column
    payload_captured: Column
    flow: Column
    direction: Column
    notes: Column


class AddressTable(dict[bytes, int]):
    """The IPv6 addresses seen so far, and their numbers."""

    def numbers(self, addresses: Column) -> Column:
        """Return numbers (uint64) for IPv6 addresses (dtype S16, whose zeros at the end numpy drops)."""
        places = [self.setdefault(address.ljust(16, b"\0"), len(self)) for address in addresses.tolist()]
        return np.array(places, np.uint64) + np.uint64(IPV6_NUMBER)


def decode_chunk(
    capture: Capture, begin: int, end: int, addresses: AddressTable, numbers: FlowNumbers
) -> SegmentColumns:
    """Return the columns of the segments in the frames at indices ``begin`` to ``end``."""
    frames = slice(begin, end)
    start = capture.offset[frames]
    limit, wire_end = start + capture.captured_length[frames], start + capture.original_length[frames]
    packet, kind = _find_packets(capture, frames, start, limit)
    found = []
    for ip_type, read in ((TYPE_IPV4, read_ipv4), (TYPE_IPV6, read_ipv6)):
        place = np.flatnonzero(kind == ip_type)
        carried = read(capture.data, packet[place], limit[place], wire_end[place])
        is_tcp = carried.sound & (carried.protocol == TCP) & ~carried.later_fragment
        is_tcp &= carried.at + TCP_READ <= carried.limit
        if not is_tcp.all():
            place, carried = place[is_tcp], Carried(*(column[is_tcp] for column in carried))
        found.append((place, carried))
    (place, carried), (place_6, carried_6) = found
    if len(place_6):
        source, destination = addresses.numbers(carried_6.source), addresses.numbers(carried_6.destination)
        carried_6 = carried_6._replace(source=source, destination=destination)
        place = np.concatenate([place, place_6])
        order = np.argsort(place)
        place = place[order]
        carried = Carried(*(np.concatenate(both)[order] for both in zip(carried, carried_6, strict=True)))
    return _decode_tcp(capture.data, (begin + 1 + place).astype(np.int32), carried, numbers)


def _find_packets(capture: Capture, frames: slice, start: Column, end: Column) -> tuple[Column, Column]:
    """Find the IP packets, also where frames of several link types are mixed."""
    kinds = {interface.link_type for interface in capture.interfaces}
    if len(kinds) == 1:
        return find_packets(capture.data, start, end, kinds.pop())
    packet, kind = start.copy(), np.zeros(len(start), np.uint16)
    links = capture.link_types(frames)
    for link in np.unique(links):
        chosen = links == link
        packet[chosen], kind[chosen] = find_packets(capture.data, start[chosen], end[chosen], int(link))
    return packet, kind


def _decode_tcp(data: Column, number: Column, carried: Carried, numbers: FlowNumbers) -> SegmentColumns:
    header = gather(data, carried.at, _TCP)
    words = header["flags"].astype(np.uint16)
    header_length = (words >> 12).astype(np.int64) * 4
    room = carried.packet_end - carried.at
    too_long = header_length > room
    bad = (header_length < 20) | too_long
    payload_offset = carried.at + header_length
    length = np.where(too_long, 0, room - header_length)
    captured = np.where(bad, 0, np.maximum(carried.limit - payload_offset, 0))
    no_length = carried.first_fragment | too_long
    notes = carried.first_fragment * np.uint8(FRAGMENT) + bad * np.uint8(BAD_HEADER)
    notes += (~bad & (captured < length)) * np.uint8(CUT) + no_length * np.uint8(NO_LENGTH)
    sport, dport = header["source"].astype(np.uint16), header["destination"].astype(np.uint16)
    seq, ack = header["seq"].astype(np.uint32), header["ack"].astype(np.uint32)
    flags = words & np.uint16(0x0FFF)
    source = carried.source << np.uint64(16) | sport
    destination = carried.destination << np.uint64(16) | dport
    found = numbers.feed(source, destination, seq, ack, flags, ~no_length)
    flow, direction, relative_seq, relative_ack = found
    return SegmentColumns(
        number=number,
        src=carried.source,
        dst=carried.destination,
        sport=sport,
        dport=dport,
        seq=seq,
        ack=ack,
        relative_seq=relative_seq,
        relative_ack=relative_ack,
        flags=flags,
        window=header["window"].astype(np.uint16),
        header_length=header_length.astype(np.uint8),
        payload_offset=payload_offset,
        payload_length=length.astype(np.int32),
        payload_captured=captured.astype(np.int32),
        flow=flow,
        direction=direction,
        notes=notes,
    )
