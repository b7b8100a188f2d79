"""Every TCP segment of a capture as columns: one numpy array a header field, one item a segment.

    source port 2 | destination port 2 | seq 4 | ack 4 | header words 4, flags 12 | window 2
    checksum 2 | urgent pointer 2 | options                                                  (RFC 9293)

``decoding`` reads the columns from the file, 16,384 frames at a time. A frame that is not TCP, or whose TCP
header was not captured as far as the window field, has no row; ``not_looked_into`` counts them. Fragments of
an IP packet are not reassembled: the first one has a row and is marked.
"""

from dataclasses import fields
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.files.capture_file import Capture, read_capture
from lab.dissect.packets.ip_layer import ipv4_text, ipv6_text
from lab.dissect.packets.other_frames import name_frames
from lab.dissect.tcp import decoding
from lab.dissect.tcp.decoding import AddressTable, SegmentColumns, decode_chunk
from lab.dissect.tcp.flow_numbers import FlowNumbers
from lab.dissect.tcp.options import OptionColumns, option_text, read_options, walk_options
from lab.dissect.tcp.window_scale import window_shifts

if TYPE_CHECKING:
    import pandas

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")
CHUNK = 1 << 14  # frames: columns of so many stay in the processor's cache


class Endpoint(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Segments(SegmentColumns):
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
    notes                               uint8, bits: FRAGMENT, BAD_HEADER, CUT, NO_LENGTH of ``decoding``
    frame_length, captured_length       uint32, bytes
    ==================================  ================================================================

    So are the columns of ``options`` (``OptionColumns``): ``options.mss``, ``options.window_shift``, ...
    """

    def __init__(
        self, capture: Capture, columns: SegmentColumns, ipv6: list[bytes], numbers: FlowNumbers
    ) -> None:
        super().__init__(**vars(columns))
        self.capture = capture
        self.flow_count = numbers.flows
        self.reused_flows = numbers.reused  # flows between endpoints that had another flow before
        self._ipv6 = ipv6

    def __len__(self) -> int:
        return len(self.number)

    def __repr__(self) -> str:
        return f"<Segments of {self.capture.path}: {len(self)} in {self.flow_count} flows>"

    @cached_property
    def time_ns(self) -> Column:
        return self.capture.time_ns[self.number - 1]

    @cached_property
    def frame_length(self) -> Column:
        return self.capture.original_length[self.number - 1]

    @cached_property
    def captured_length(self) -> Column:
        return self.capture.captured_length[self.number - 1]

    @cached_property
    def _options_start(self) -> Column:
        return self.payload_offset - self.header_length + 20

    @cached_property
    def _options_end(self) -> Column:
        """Where the captured options end; where they start, if the header is damaged."""
        frame_end = self.capture.offset[self.number - 1] + self.captured_length
        end = np.minimum(self.payload_offset, frame_end)
        return np.where(self.notes & decoding.BAD_HEADER, self._options_start, end)

    @cached_property
    def options(self) -> OptionColumns:
        """The TCP options of every segment."""
        return read_options(self.capture.data, self._options_start, self._options_end)

    @cached_property
    def options_cut(self) -> Column:
        """bool: where the snap length cut into the options, so that it is not known which there were."""
        return self.payload_offset > self.capture.offset[self.number - 1] + self.captured_length

    @property
    def length_known(self) -> Column:
        """bool: where the segment's own length is known, so that its numbers show where its sender is."""
        return self.notes & decoding.NO_LENGTH == 0

    @cached_property
    def scaled_window(self) -> Column:
        announced = self.options.window_shift
        shifts = window_shifts(self.flow, self.direction, self.flags, announced, self.options_cut)
        return self.window.astype(np.uint32) << np.maximum(shifts, 0).astype(np.uint32)

    def address(self, number: int) -> str:
        """Return the text of an address as ``src`` and ``dst`` number it."""
        number = int(number)
        if number < decoding.IPV6_NUMBER:
            return ipv4_text(number)
        return ipv6_text(int.from_bytes(self._ipv6[number - decoding.IPV6_NUMBER], "big"))

    def endpoint(self, i: int, destination: bool = False) -> Endpoint:
        """Return the sender of segment ``i``, or its destination."""
        address, port = (self.dst, self.dport) if destination else (self.src, self.sport)
        return Endpoint(self.address(address[i]), int(port[i]))

    def info(self, i: int) -> str:
        """Return a line about segment ``i`` like Wireshark's Info column for TCP."""
        flags = int(self.flags[i])
        text = f"{self.sport[i]} → {self.dport[i]} [{flag_names(flags)}] Seq={self.relative_seq[i]}"
        if flags & ACK:
            text += f" Ack={self.relative_ack[i]}"
        text += f" Win={self.scaled_window[i]}"
        if not self.notes[i] & decoding.FRAGMENT:
            text += f" Len={self.payload_length[i]}"
        options = self.capture.data[int(self._options_start[i]) : int(self._options_end[i])].tobytes()
        ack_base = int(self.ack[i]) - int(self.relative_ack[i])
        for kind, at, length in walk_options(options):
            text += option_text(kind, options[at + 2 : at + length], ack_base)
        return text

    def table(self) -> "pandas.DataFrame":
        """Return a pandas DataFrame, one row a segment, indexed by frame number; src and dst as text."""
        import pandas  # half a second that a bare count of segments should not wait for

        addresses, codes = np.unique(np.concatenate([self.src, self.dst]), return_inverse=True)
        names = [self.address(address) for address in addresses]
        src, dst = codes.reshape(2, -1)
        columns = {
            "time_ns": self.time_ns,
            "src": pandas.Categorical.from_codes(src, names),
            "dst": pandas.Categorical.from_codes(dst, names),
        }
        shown = "sport dport flags seq ack relative_seq relative_ack window scaled_window header_length"
        shown += " payload_length payload_captured flow frame_length captured_length notes"
        columns |= {name: getattr(self, name) for name in shown.split()}
        shown = "mss window_shift sack_permitted sack_count timestamp timestamp_echo"
        columns |= {name: getattr(self.options, name) for name in shown.split()}
        return pandas.DataFrame(columns, index=pandas.Index(self.number, name="number"))

    @cached_property
    def not_looked_into(self) -> dict[str, Column]:
        """The frames without a row, by what they carry: {"GRE": frame numbers, "fragments": ...}, most first."""
        others = np.ones(len(self.capture), bool)
        others[self.number - 1] = False
        return name_frames(self.capture, (np.flatnonzero(others) + 1).astype(np.int32))

    def payload(self, i: int) -> memoryview:
        """Return the captured payload bytes of segment ``i`` (an index, from 0), without a copy."""
        start = int(self.payload_offset[i])
        return self.capture.data[start : start + int(self.payload_captured[i])].data


def read_segments(path_or_capture: str | PathLike[str] | Capture) -> Segments:
    """Return all TCP segments of a capture file (or of an open ``Capture``), in file order.

    Raises CaptureError for a file that is not a capture, OSError for one that cannot be read.
    """
    capture = path_or_capture if isinstance(path_or_capture, Capture) else read_capture(path_or_capture)
    numbers, addresses = FlowNumbers(), AddressTable()
    begins = range(0, max(len(capture), 1), CHUNK)
    chunks = [vars(decode_chunk(capture, begin, begin + CHUNK, addresses, numbers)) for begin in begins]
    # Each column of a chunk is freed as soon as it is copied.
    names = [one.name for one in fields(SegmentColumns)]
    columns = {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in names}
    return Segments(capture, SegmentColumns(**columns), list(addresses), numbers)


def flag_names(flags: int) -> str:
    """Return the names of the bits that are set: ``PSH, ACK``; ``<None>`` if there are none."""
    names = [name for bit, name in enumerate(FLAG_NAMES) if flags >> bit & 1]
    if flags >> len(FLAG_NAMES):
        names.append("Reserved")
    return ", ".join(names) or "<None>"
