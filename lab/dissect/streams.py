"""One direction of a flow put back together: the bytes that its sender wrote, in the order in which they
were written.

TCP numbers every byte, so segments may be lost, come twice, overlap or overtake each other; the receiver
sorts that out (RFC 9293 section 3.10.7.4), and so do we, with the receiver's rules. A segment that begins
where the bytes so far end is taken; one from further on waits; of one that begins earlier only the part
beyond the end is new, so **what was delivered first stays**. Sequence numbers are compared modulo 2**32,
which makes the wrap-around a non-event.

What the capture does not hold is not made up: a gap has a place and a length, and no bytes.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush

import numpy as np

LARGEST_COPY = 1 << 28  # bytes; so many payloads in all may be copied together, to be cut up into streams

_SYN, _PSH = 0x02, 0x08
_MODULUS, _HALF = 1 << 32, 1 << 31


@dataclass(frozen=True)
class Piece:
    """A run of bytes that one segment brought. OFFSET counts bytes of ``Stream.data``; ROW is the segment's
    index.
    """

    offset: int
    length: int
    frame_number: int
    time_ns: int
    push: bool
    row: int


@dataclass(frozen=True)
class Gap:
    """LENGTH bytes that were never captured, missing before byte OFFSET of ``Stream.data``."""

    offset: int
    length: int


class Stream:
    """The bytes of one direction. ``data`` holds what was captured; offsets everywhere count bytes of
    ``data``.
    """

    def __init__(self, segments, rows: np.ndarray, in_order: "InOrder | None" = None):
        """ROWS are the indices (int64, in file order) of all segments of this direction; IN_ORDER is what
        ``sort_directions`` found out about them, if it was asked.
        """
        self._segments = segments
        self.rows = rows
        self._in_order = in_order

    def __len__(self) -> int:
        return self._layout[3]

    def __repr__(self) -> str:
        return f"<Stream of {len(self)} bytes in {len(self._layout[0])} pieces, {len(self.gaps)} gaps>"

    @cached_property
    def _layout(self) -> tuple[list[int], list[int], list[int], int, list[Gap]]:
        """(row, bytes of its payload to skip, offset) of each piece, total length, gaps."""
        segments, rows = self._segments, self.rows
        if self._in_order is not None:
            carriers = self._in_order.payloads.rows[self._in_order.first : self._in_order.last]
            return _one_behind_the_other(carriers, segments.payload_captured[carriers])
        lengths = segments.payload_captured[rows]
        if len(rows) == 0:
            return [], [], [], 0, []
        expected = int(_first_byte(segments, rows[:1])[0])
        carrying = lengths > 0
        rows, lengths = rows[carrying], lengths[carrying]
        if len(rows) == 0:
            return [], [], [], 0, []
        starts, claimed = _number_of_payload(segments, rows), segments.payload_length[rows]
        ends = starts + lengths.astype(np.uint32)
        if starts[0] == expected and (starts[1:] == ends[:-1]).all() and claimed[-1] == lengths[-1]:
            return _one_behind_the_other(rows, lengths)
        return _put_together(rows.tolist(), starts.tolist(), lengths.tolist(), claimed.tolist(), expected)

    @cached_property
    def data(self) -> bytes:
        """All captured bytes in order, gaps left out."""
        if self._in_order is not None:
            return self._in_order.payloads.join(self._in_order.first, self._in_order.last)
        rows, skips, _, _, _ = self._layout
        raw, offset = self._segments.capture.raw, self._segments.payload_offset[rows]
        starts = (offset + np.array(skips, np.int64)).tolist()
        ends = (offset + self._segments.payload_captured[rows]).tolist()
        return b"".join([raw[start:end] for start, end in zip(starts, ends, strict=True)])

    @property
    def gaps(self) -> list[Gap]:
        """What is missing, in order."""
        return self._layout[4]

    @cached_property
    def pieces(self) -> list[Piece]:
        """Which segment brought which bytes, in order of offset."""
        rows, skips, offsets, total, _ = self._layout
        segments = self._segments
        ends = [*offsets[1:], total] if rows else []
        return [
            Piece(
                offset,
                end - offset,
                int(segments.number[row]),
                int(segments.time_ns[row]),
                bool(segments.flags[row] & _PSH),
                row,
            )
            for row, offset, end in zip(rows, offsets, ends, strict=True)
        ]

    def row_at(self, offset: int) -> int:
        """The index of the segment that brought byte OFFSET of ``data``. IndexError outside it."""
        rows, _, offsets, total, _ = self._layout
        if not 0 <= offset < total:
            raise IndexError(f"byte {offset} of a stream of {total}")
        return rows[bisect_right(offsets, offset) - 1]

    def frame_at(self, offset: int) -> int:
        """The number of the frame that brought byte OFFSET of ``data``."""
        return int(self._segments.number[self.row_at(offset)])

    def time_at(self, offset: int) -> int:
        """When byte OFFSET of ``data`` was recorded, in nanoseconds since 1970."""
        return int(self._segments.time_ns[self.row_at(offset)])

    def frames(self, offset: int, length: int) -> list[int]:
        """The numbers of all frames that brought bytes OFFSET to OFFSET + LENGTH of ``data``, in order of
        bytes.
        """
        rows, _, offsets, _, _ = self._layout
        first, last = bisect_right(offsets, offset) - 1, bisect_right(offsets, offset + max(length, 1) - 1)
        return [int(self._segments.number[row]) for row in rows[max(first, 0) : last]]

    def runs(self) -> list[tuple[int, int]]:
        """(start, end) in ``data`` of each stretch without a gap inside."""
        edges = sorted({0, len(self), *(gap.offset for gap in self.gaps)})
        return [(start, end) for start, end in zip(edges, edges[1:], strict=False) if end > start]


def _first_byte(segments, rows) -> np.ndarray:
    """The sequence number (uint32) at which a direction's stream begins, if ROWS are its first segments."""
    return segments.seq[rows] + (segments.flags[rows] & _SYN != 0).astype(np.uint32)


# A SYN takes a number for itself, so its own payload (TCP Fast Open) begins one behind it: the same sum.
_number_of_payload = _first_byte


def _one_behind_the_other(rows: np.ndarray, lengths: np.ndarray):
    """The layout of segments that came in order, each beginning where the one before ended."""
    offsets = np.cumsum(lengths, dtype=np.int64)
    total = int(offsets[-1]) if len(offsets) else 0
    return rows.tolist(), [0] * len(rows), [0, *offsets[:-1].tolist()] if total else [], total, []


class Payloads:
    """The payloads of many segments, ROWS, in the order in which they belong one behind the other."""

    def __init__(self, segments, rows: np.ndarray, lengths: np.ndarray):
        self.segments, self.rows, self.lengths = segments, rows, lengths
        self.starts = segments.payload_offset[rows]
        self.places = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def join(self, first: int, last: int) -> bytes:
        """Payloads FIRST up to LAST (not included), end to end."""
        if self.places[-1] <= LARGEST_COPY:
            return self._together[self.places[first] : self.places[last]].tobytes()
        raw, starts = self.segments.capture.raw, self.starts[first:last]
        ends = (starts + self.lengths[first:last]).tolist()
        return b"".join([raw[start:end] for start, end in zip(starts.tolist(), ends, strict=True)])

    @cached_property
    def _together(self) -> np.ndarray:
        """All of them end to end, uint8. Half a million slices take a while in Python; so numpy copies all
        payloads of one length in one go, as opaque items of that many bytes.
        """
        data, joined = self.segments.capture.data, np.empty(self.places[-1], np.uint8)
        by_length = np.argsort(self.lengths, kind="stable")
        sorted_lengths = self.lengths[by_length]
        edges = np.flatnonzero(np.diff(sorted_lengths, prepend=-1, append=-1))
        for start, end in zip(edges.tolist(), edges[1:].tolist(), strict=False):
            length = int(sorted_lengths[start])
            source = np.ndarray((len(data) - length + 1,), f"V{length}", data, strides=(1,))
            target = np.ndarray((len(joined) - length + 1,), f"V{length}", joined, strides=(1,))
            chosen = by_length[start:end]
            target[self.places[chosen]] = source[self.starts[chosen]]
        return joined


@dataclass
class InOrder:
    """A direction whose segments all came in order: its payloads are those from FIRST up to LAST."""

    payloads: Payloads
    first: int
    last: int


def sort_directions(segments):
    """Rows sorted by flow and direction, where each direction begins among them, and an InOrder or None for
    each.

    Direction d of flow f is number 2 f + d. Nearly every direction of a real capture is in order, and to
    see that takes no loop.
    """
    count = 2 * segments.flow_count
    # Numbers of 16 bits are sorted by counting, five times as fast.
    kind = np.uint16 if count < 1 << 16 else np.int64
    key = segments.flow.astype(kind) * kind(2) + segments.direction.astype(kind)
    rows = np.argsort(key, kind="stable")
    key = key[rows]
    begins = np.searchsorted(key, np.arange(count + 1))
    lengths = segments.payload_captured[rows]
    carrying = lengths > 0
    carriers, key, lengths = rows[carrying], key[carrying], lengths[carrying]
    starts = _number_of_payload(segments, carriers)
    expected = np.empty_like(starts)
    expected[1:] = starts[:-1] + lengths[:-1].astype(np.uint32)
    occupied = np.flatnonzero(np.diff(begins))
    first_byte = np.zeros(count, np.uint32)
    first_byte[occupied] = _first_byte(segments, rows[begins[occupied]])
    first = np.concatenate([[True], key[1:] != key[:-1]])[: len(key)]
    expected[first] = first_byte[key[first]]
    good = np.ones(count, bool)
    good[key[(starts != expected) | (segments.payload_length[carriers] != lengths)]] = False
    payloads = Payloads(segments, carriers, lengths)
    edges = np.searchsorted(key, np.arange(count + 1)).tolist()
    found = [
        InOrder(payloads, edges[i], edges[i + 1]) if fine else None for i, fine in enumerate(good.tolist())
    ]
    return rows, begins, found


def _put_together(rows, starts, lengths, claimed, expected):
    """Go through segments in the order of arrival as a receiver would; see Stream._layout for what comes
    back.

    CLAIMED is each segment's length on the wire, more than its length where the snap length cut it.
    """
    delivered, skips, offsets, total = [], [], [], 0
    waiting: list[tuple[int, int, int, int]] = []  # a heap of (position, arrival, length, row)
    position = farthest = 0  # in the sender's stream, gaps included, not wrapped
    gaps = []

    def take(row, skip, length):
        nonlocal total, position
        if skip < length:
            delivered.append(row)
            skips.append(skip)
            offsets.append(total)
            total += length - skip
            position += length - skip

    def take_what_fits():
        while waiting and waiting[0][0] <= position:
            start, _, length, row = heappop(waiting)
            take(row, position - start, length)

    for arrival, (row, number, length, on_wire) in enumerate(
        zip(rows, starts, lengths, claimed, strict=True)
    ):
        ahead = (number - expected - position) % _MODULUS
        start = position + (ahead if ahead < _HALF else ahead - _MODULUS)
        farthest = max(farthest, start + on_wire)
        if start > position:
            heappush(waiting, (start, arrival, length, row))
        else:
            take(row, position - start, length)
            take_what_fits()
    while waiting:
        gaps.append(Gap(total, waiting[0][0] - position))
        position = waiting[0][0]
        take_what_fits()
    if farthest > position:
        gaps.append(Gap(total, farthest - position))
    return delivered, skips, offsets, total, gaps
