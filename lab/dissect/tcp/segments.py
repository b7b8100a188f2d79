"""Every TCP segment of a capture as columns: one numpy array a header field, one item a segment.

    source port 2 | destination port 2 | seq 4 | ack 4 | header words 4, flags 12 | window 2
    checksum 2 | urgent pointer 2 | options                                                  (RFC 9293)

The capture is cut into chunks of 16,384 frames. In each, ``gather`` copies all IP headers out of the file
in one call, then all TCP headers; the rest is arithmetic on whole columns. Payloads are not copied: a
segment remembers where its payload stands in the file. A frame that is not TCP, or whose TCP header was not
captured as far as the window field, has no row; ``not_looked_into`` counts them. Fragments of an IP packet
are not put together: the first one has a row and is marked.
"""

from functools import cached_property
from ipaddress import IPv4Address
from os import PathLike

import numpy as np

from lab.dissect.files.bytes_view import gather
from lab.dissect.files.capture_file import Capture, read_capture
from lab.dissect.packets.ip_layer import ipv6_text, read_ipv4, read_ipv6
from lab.dissect.packets.link_layer import find_packets
from lab.dissect.packets.other_frames import name_frames
from lab.dissect.tcp.flow_numbers import FlowNumbers
from lab.dissect.tcp.options import (
    LARGEST_SHIFT,
    MSS,
    SACK,
    SACK_PERMITTED,
    TIMESTAMPS,
    WINDOW_SCALE,
    OptionColumns,
    read_options,
    walk_options,
)
from lab.dissect.tcp.window_scale import window_shifts

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

# What ``notes`` can say of a segment.
FRAGMENT = 1  # the first fragment of an IP packet: the segment's own length is not known
BAD_HEADER = 2  # the TCP header claims less than 20 bytes, or more than there is
CUT = 4  # the snap length cut the payload off
NO_LENGTH = 8  # a fragment, or a header that claims to be longer than the packet

CHUNK = 1 << 14  # frames: columns of so many stay in the processor's cache
TCP = 6
TCP_READ = 16  # bytes of the TCP header that a row needs

IPV6_NUMBER = 1 << 32  # addresses as numbers: IPv4 as itself, IPv6 as this plus its place in a table

_TCP = np.dtype(
    [
        ("source", ">u2"),
        ("destination", ">u2"),
        ("seq", ">u4"),
        ("ack", ">u4"),
        ("flags", ">u2"),
        ("window", ">u2"),
    ]
)


class Segments:
    """The TCP segments of one capture. Each attribute below is an array with one item a segment.

    ==================================  ================================================================
    number                              int32, the frame's number, from 1
    time_ns                             int64, nanoseconds since 1970
    src, dst                            uint64, addresses as numbers; ``address(n)`` is their text
    sport, dport                        uint16
    seq, ack                            uint32, as on the wire
    relative_seq, relative_ack          uint32, from the flow's start (ack as on the wire without ACK)
    flags                               uint16, twelve bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ...
    window, scaled_window               uint16, uint32
    header_length                       uint8, bytes
    payload_offset                      int64, bytes into ``capture.data``
    payload_length, payload_captured    int32, bytes: what the headers say, and what the file holds of it
    flow                                int32, as Wireshark's tcp.stream
    direction                           uint8, 0 or 1; which is which differs from flow to flow
    notes                               uint8, bits: FRAGMENT, BAD_HEADER, CUT, NO_LENGTH
    frame_length, captured_length       uint32, bytes
    ==================================  ================================================================
    """

    def __init__(
        self, capture: Capture, columns: dict[str, np.ndarray], ipv6: list[bytes], numbers: FlowNumbers
    ):
        self.capture = capture
        self.flow_count = numbers.flows
        self.reused_flows = numbers.reused  # flows between endpoints that had another flow before
        self._ipv6 = ipv6
        self.__dict__.update(columns)

    def __len__(self) -> int:
        return len(self.number)

    def __repr__(self) -> str:
        return f"<Segments of {self.capture.path}: {len(self)} in {self.flow_count} flows>"

    @cached_property
    def time_ns(self) -> np.ndarray:
        return self.capture.time_ns[self.number - 1]

    @cached_property
    def frame_length(self) -> np.ndarray:
        return self.capture.original_length[self.number - 1]

    @cached_property
    def captured_length(self) -> np.ndarray:
        return self.capture.captured_length[self.number - 1]

    @cached_property
    def options(self) -> OptionColumns:
        """The TCP options of every segment."""
        start = self.payload_offset - self.header_length + 20
        frame_end = self.capture.offset[self.number - 1] + self.captured_length
        end = np.minimum(self.payload_offset, frame_end)
        return read_options(self.capture.data, start, np.where(self.notes & BAD_HEADER, start, end))

    @cached_property
    def options_cut(self) -> np.ndarray:
        """bool: where the snap length cut into the options, so that nobody can say which there were."""
        return self.payload_offset > self.capture.offset[self.number - 1] + self.captured_length

    def __getattr__(self, name: str):
        if name in OptionColumns.__dataclass_fields__:
            return getattr(self.options, name)
        raise AttributeError(name)

    @property
    def length_known(self) -> np.ndarray:
        """bool: where the segment's own length is known, and its numbers therefore tell where its side
        stands.
        """
        return self.notes & NO_LENGTH == 0

    @cached_property
    def scaled_window(self) -> np.ndarray:
        shifts = window_shifts(self.flow, self.direction, self.flags, self.window_shift, self.options_cut)
        return self.window.astype(np.uint32) << np.maximum(shifts, 0).astype(np.uint32)

    def address(self, number: int) -> str:
        """Return the text of an address as ``src`` and ``dst`` number it."""
        number = int(number)
        if number < IPV6_NUMBER:
            return str(IPv4Address(number))
        return ipv6_text(int.from_bytes(self._ipv6[number - IPV6_NUMBER], "big"))

    def endpoint(self, i: int, destination: bool = False) -> tuple[str, int]:
        """(address, port) of the sender of segment ``i``, or of its ``destination``."""
        if destination:
            return self.address(self.dst[i]), int(self.dport[i])
        return self.address(self.src[i]), int(self.sport[i])

    def info(self, i: int) -> str:
        """A line about segment I like Wireshark's Info column for TCP."""
        text = (
            f"{self.sport[i]} → {self.dport[i]} [{flag_names(int(self.flags[i]))}] Seq={self.relative_seq[i]}"
            + (f" Ack={self.relative_ack[i]}" if self.flags[i] & ACK else "")
            + f" Win={self.scaled_window[i]}"
            + (f" Len={self.payload_length[i]}" if not self.notes[i] & FRAGMENT else "")
        )
        start = int(self.payload_offset[i]) - int(self.header_length[i]) + 20
        frame_end = int(self.capture.offset[self.number[i] - 1]) + int(self.captured_length[i])
        end = start if self.notes[i] & BAD_HEADER else min(int(self.payload_offset[i]), frame_end)
        options = self.capture.data[start:end].tobytes()
        ack_base = int(self.ack[i]) - int(self.relative_ack[i])
        for kind, at, length in walk_options(options):
            text += _option_text(kind, options[at + 2 : at + length], ack_base)
        return text

    def table(self):
        """Return all of it as a pandas DataFrame, one row a segment, indexed by frame number; src and dst as text.

        Frames without a segment have no row: see ``not_looked_into``.
        """
        import pandas  # half a second that a bare count of segments should not wait for

        addresses, codes = np.unique(np.concatenate([self.src, self.dst]), return_inverse=True)
        names = [self.address(address) for address in addresses]
        codes = codes.reshape(2, -1)
        columns = {
            "time_ns": self.time_ns,
            "src": pandas.Categorical.from_codes(codes[0], names),
            "dst": pandas.Categorical.from_codes(codes[1], names),
        }
        for name in _TABLE:
            columns[name] = getattr(self, name)
        return pandas.DataFrame(columns, index=pandas.Index(self.number, name="number"))

    @cached_property
    def not_looked_into(self) -> dict[str, np.ndarray]:
        """The frames that have no row, by what they carry: {"GRE": frame numbers, "fragments": ...}, most first.

        ``other_frames.describe`` puts their counts into a line.
        """
        others = np.ones(len(self.capture), bool)
        others[self.number - 1] = False
        return name_frames(self.capture, (np.flatnonzero(others) + 1).astype(np.int32))

    def payload(self, i: int) -> memoryview:
        """Return the captured payload bytes of segment ``i`` (an index, from 0). No copy."""
        start = int(self.payload_offset[i])
        return memoryview(self.capture.data[start : start + int(self.payload_captured[i])])


def read_segments(path_or_capture: str | PathLike | Capture) -> Segments:
    """All TCP segments of a capture file (or of a Capture already open), in file order.

    Raises CaptureError for a file that is not a capture, OSError for one that cannot be read.
    """
    capture = path_or_capture if isinstance(path_or_capture, Capture) else read_capture(path_or_capture)
    link_types = {interface.link_type for interface in capture.interfaces}
    numbers, addresses = FlowNumbers(), _AddressTable()
    # Room for every frame, should all be TCP; what is not used is never touched and costs no memory.
    columns = {name: np.empty(len(capture), kind) for name, kind in _COLUMNS.items()}
    count = 0
    for begin in range(0, len(capture), CHUNK):
        frames = slice(begin, begin + CHUNK)
        start = capture.offset[frames]
        end = start + capture.captured_length[frames]
        wire_end = start + capture.original_length[frames]
        if len(link_types) == 1:
            packet, version = find_packets(capture.data, start, end, next(iter(link_types)))
        else:
            packet, version = _by_link(capture, frames, start, end)
        rows = np.arange(begin + 1, begin + 1 + len(start), dtype=np.int32)
        chunk = _decode(capture.data, packet, version, end, wire_end, rows, addresses, numbers)
        many = len(chunk["number"])
        for name, column in columns.items():
            column[count : count + many] = chunk[name]
        count += many
    return Segments(
        capture, {name: column[:count] for name, column in columns.items()}, addresses.ipv6, numbers
    )


_COLUMNS = {
    "number": np.int32,
    "src": np.uint64,
    "dst": np.uint64,
    "sport": np.uint16,
    "dport": np.uint16,
    "seq": np.uint32,
    "ack": np.uint32,
    "relative_seq": np.uint32,
    "relative_ack": np.uint32,
    "flags": np.uint16,
    "window": np.uint16,
    "header_length": np.uint8,
    "payload_offset": np.int64,
    "payload_length": np.int32,
    "payload_captured": np.int32,
    "flow": np.int32,
    "direction": np.uint8,
    "notes": np.uint8,
}


_TABLE = (
    *("sport", "dport", "flags", "seq", "ack", "relative_seq", "relative_ack", "window", "scaled_window"),
    *(
        "header_length",
        "payload_length",
        "payload_captured",
        "flow",
        "frame_length",
        "captured_length",
        "notes",
    ),
    *("mss", "window_shift", "sack_permitted", "sack_count", "timestamp", "timestamp_echo"),
)

_FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")


def flag_names(flags: int) -> str:
    """The names of the bits set in ``flags``: ``PSH, ACK``; ``<None>`` for none."""
    names = [name for bit, name in enumerate(_FLAG_NAMES) if flags >> bit & 1]
    return ", ".join(names + ["Reserved"] * (flags >> 9 != 0)) or "<None>"


def _option_text(kind: int, value: bytes, ack_base: int) -> str:
    numbers = [int.from_bytes(value[i : i + 4], "big") for i in range(0, len(value) - 3, 4)]
    if kind == MSS and len(value) == 2:
        return f" MSS={int.from_bytes(value, 'big')}"
    if kind == WINDOW_SCALE and len(value) == 1:
        return f" WS={1 << min(value[0], LARGEST_SHIFT)}"
    if kind == SACK_PERMITTED and not value:
        return " SACK_PERM"
    if kind == TIMESTAMPS and len(value) == 8:
        return f" TSval={numbers[0]} TSecr={numbers[1]}"
    if kind == SACK and len(value) in (8, 16, 24, 32):
        edges = [(number - ack_base) & 0xFFFFFFFF for number in numbers]
        return "".join(f" SLE={edges[i]} SRE={edges[i + 1]}" for i in range(0, len(edges), 2))
    return ""


def _by_link(capture, frames, start, end):
    """The same as find_packets where frames of several link types are mixed."""
    packet, version = start.copy(), np.zeros(len(start), np.uint8)
    links = capture.link_types()[frames]
    for link in np.unique(links):
        chosen = links == link
        packet[chosen], version[chosen] = find_packets(capture.data, start[chosen], end[chosen], int(link))
    return packet, version


class _AddressTable:
    """IPv6 addresses met so far, and their numbers."""

    def __init__(self):
        self.ipv6: list[bytes] = []
        self.numbers: dict[bytes, int] = {}

    def number(self, addresses: np.ndarray) -> np.ndarray:
        """Numbers (uint64) for IPv6 addresses (dtype S16)."""
        different, inverse = np.unique(addresses, return_inverse=True)
        found = np.empty(len(different), np.uint64)
        for i, address in enumerate(different.tolist()):
            address = address.ljust(16, b"\0")  # numpy drops zeros at the end of S16
            if address not in self.numbers:
                self.numbers[address] = len(self.ipv6)
                self.ipv6.append(address)
            found[i] = IPV6_NUMBER + self.numbers[address]
        return found[inverse.reshape(-1)]


def _decode(data, packet, version, end, wire_end, rows, addresses, numbers) -> dict[str, np.ndarray]:
    """The columns of one chunk. Each step keeps the rows that are still candidates and drops the others."""
    parts = []
    for which, decode in ((4, _decode_ipv4), (6, _decode_ipv6)):
        chosen = version == which
        if chosen.all():
            parts = [decode(data, packet, end, wire_end, rows, addresses)]
        elif chosen.any():
            parts.append(decode(data, packet[chosen], end[chosen], wire_end[chosen], rows[chosen], addresses))
    if not parts:
        parts.append(_decode_ipv4(data, packet[:0], end[:0], wire_end[:0], rows[:0], addresses))
    if len(parts) == 1:
        (row, source, destination, at, limit, packet_end, fragment) = parts[0]
    else:
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        order = np.argsort(joined[0])
        row, source, destination, at, limit, packet_end, fragment = (column[order] for column in joined)
    return _decode_tcp(data, row, source, destination, at, limit, packet_end, fragment, numbers)


def _decode_ipv4(data, packet, end, wire_end, rows, _addresses):
    carried = read_ipv4(data, packet, end, wire_end)
    kept = carried.sound & (carried.protocol == TCP) & ~carried.later_fragment
    source, destination = carried.source.astype(np.uint64), carried.destination.astype(np.uint64)
    place = carried.at, carried.limit, carried.packet_end, carried.first_fragment
    return _keep(kept, rows, source, destination, *place)


def _keep(kept: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
    """The columns at the rows to be kept; nearly always those are all."""
    return list(columns) if kept.all() else [column[kept] for column in columns]


def _decode_ipv6(data, packet, end, wire_end, rows, addresses):
    carried = read_ipv6(data, packet, end, wire_end)
    kept = carried.sound & (carried.protocol == TCP) & ~carried.later_fragment
    source, destination = (addresses.number(one[kept]) for one in (carried.source, carried.destination))
    place = carried.at, carried.limit, carried.packet_end, carried.first_fragment
    row, *place = _keep(kept, rows, *place)
    return [row, source, destination, *place]


def _decode_tcp(data, row, source, destination, at, limit, packet_end, fragment, numbers):
    whole = at + TCP_READ <= limit
    row, source, destination, at, limit, packet_end, fragment = _keep(
        whole, row, source, destination, at, limit, packet_end, fragment
    )
    header = gather(data, at, _TCP)
    words = header["flags"].astype(np.uint16)
    header_length = (words >> 12).astype(np.int64) * 4
    room = packet_end - at
    bad = (header_length < 20) | (header_length > room)
    payload_offset = at + header_length
    length = np.where(header_length > room, 0, room - header_length)
    captured = np.where(bad, 0, np.maximum(limit - payload_offset, 0))
    notes = fragment * np.uint8(FRAGMENT) + bad * np.uint8(BAD_HEADER)
    notes += (~bad & (captured < length)) * np.uint8(CUT)
    no_length = fragment | (header_length > room)
    notes += no_length * np.uint8(NO_LENGTH)
    sport, dport = header["source"].astype(np.uint16), header["destination"].astype(np.uint16)
    seq, ack = header["seq"].astype(np.uint32), header["ack"].astype(np.uint32)
    flags = words & np.uint16(0x0FFF)
    sixteen = np.uint64(16)
    flow, direction, relative_seq, relative_ack = numbers.feed(
        source << sixteen | sport,
        destination << sixteen | dport,
        seq,
        ack,
        flags,
        ~no_length,
    )
    return {
        "number": row,
        "src": source,
        "dst": destination,
        "sport": sport,
        "dport": dport,
        "seq": seq,
        "ack": ack,
        "relative_seq": relative_seq,
        "relative_ack": relative_ack,
        "flags": flags,
        "window": header["window"].astype(np.uint16),
        "header_length": header_length.astype(np.uint8),
        "payload_offset": payload_offset,
        "payload_length": length.astype(np.int32),
        "payload_captured": captured.astype(np.int32),
        "flow": flow,
        "direction": direction,
        "notes": notes,
    }
