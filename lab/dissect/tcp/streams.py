"""One direction of a flow put back together: the bytes that its sender wrote, in the order of writing.

TCP numbers every byte, so segments may be lost, come twice, overlap or overtake each other. The receiver
sorts that out, and so do we, with the receiver's rules (``reassembly``): **what was delivered first stays**.

What the capture does not hold is not made up: a gap has a place and a length, but no bytes. Bytes that the
capture holds and the stream does not, because they came twice or lie before the beginning, are listed in
``excluded``.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.reassembly import Layout, lay_out
from lab.dissect.tcp.segments import Segments

DUPLICATE, CONFLICT, BEFORE_BEGINNING = "duplicate", "conflict", "before the beginning"


@dataclass(frozen=True)
class StreamPiece:
    """Bytes that segment ``row`` brought, from ``start`` of its payload on, to ``offset`` of ``Stream.data``."""

    offset: int
    start: int
    length: int
    frame_number: int
    time_ns: int
    row: int


@dataclass(frozen=True)
class Gap:
    """``length`` bytes that were never captured, missing before byte ``offset`` of ``Stream.data``."""

    offset: int
    length: int


@dataclass(frozen=True)
class Excluded:
    """``length`` bytes of a segment, from byte ``start`` of its payload on, that are not in ``Stream.data``.

    ``reason`` is DUPLICATE (the stream has the same bytes from an earlier segment), CONFLICT (it has other
    ones, which were delivered first) or BEFORE_BEGINNING.
    """

    row: int
    frame_number: int
    start: int
    length: int
    reason: str


class Stream:
    """The captured bytes of one direction, ``data``. All offsets count bytes of ``data``."""

    def __init__(self, segments: Segments, rows: Column) -> None:
        """``rows`` are this direction's segments, in file order."""
        self._segments = segments
        self.rows = rows

    def __len__(self) -> int:
        return self._layout.length

    def __repr__(self) -> str:
        return f"<Stream of {len(self)} bytes in {len(self._layout.rows)} pieces, {len(self.gaps)} gaps>"

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self._segments, self.rows)

    @cached_property
    def data(self) -> bytes:
        """All captured bytes in order, gaps left out."""
        segments, rows = self._segments, np.array(self._layout.rows, np.int64)
        begin = segments.payload_offset[rows]
        starts, ends = begin + self._layout.skips, begin + segments.payload_captured[rows]
        raw, places = segments.capture.raw, zip(starts.tolist(), ends.tolist(), strict=True)
        return b"".join([raw[start:end] for start, end in places])

    @cached_property
    def gaps(self) -> list[Gap]:
        """The stretches that are missing, in order."""
        return [Gap(offset, length) for offset, length in self._layout.gaps]

    @cached_property
    def excluded(self) -> list[Excluded]:
        """Every captured payload byte that is not in ``data``, and why, in file order."""
        found, segments = [], self._segments
        for row, skip, length, offset in sorted(self._layout.overlaps):
            if offset < 0:
                reason = BEFORE_BEGINNING
            else:
                bytes_of_segment = segments.payload(row)[skip : skip + length]
                same = bytes_of_segment == self.data[offset : offset + length]
                reason = DUPLICATE if same else CONFLICT
            found.append(Excluded(row, int(segments.number[row]), skip, length, reason))
        return found

    @cached_property
    def pieces(self) -> list[StreamPiece]:
        """Which segment brought which bytes, in order of offset."""
        rows, offsets, total = self._layout.rows, self._layout.offsets, self._layout.length
        numbers, times = self._segments.number, self._segments.time_ns
        ends = [*offsets[1:], total] if rows else []
        return [
            StreamPiece(offset, start, end - offset, int(numbers[row]), int(times[row]), row)
            for row, start, offset, end in zip(rows, self._layout.skips, offsets, ends, strict=True)
        ]

    def row_at(self, offset: int) -> int:
        """Return the index of the segment that brought byte ``offset`` of ``data``. IndexError outside it."""
        rows, offsets, total = self._layout.rows, self._layout.offsets, self._layout.length
        if not 0 <= offset < total:
            raise IndexError(f"byte {offset} of a stream of {total}")
        return rows[bisect_right(offsets, offset) - 1]

    def frame_at(self, offset: int) -> int:
        """Return the number of the frame that brought byte ``offset`` of ``data``."""
        return int(self._segments.number[self.row_at(offset)])

    def time_at(self, offset: int) -> int:
        """Return when byte ``offset`` of ``data`` was recorded, in nanoseconds since 1970."""
        return int(self._segments.time_ns[self.row_at(offset)])

    def frames(self, offset: int, length: int) -> list[int]:
        """Return the frames that brought the ``length`` bytes from ``offset`` on, in the order of the bytes."""
        rows, offsets = self._layout.rows, self._layout.offsets
        first, last = bisect_right(offsets, offset) - 1, bisect_right(offsets, offset + max(length, 1) - 1)
        return [int(self._segments.number[row]) for row in rows[max(first, 0) : last]]

    def runs(self) -> list[tuple[int, int]]:
        """Return start and end in ``data`` of each stretch without a gap."""
        edges = sorted({0, len(self), *(gap.offset for gap in self.gaps)})
        return [(start, end) for start, end in zip(edges, edges[1:], strict=False) if end > start]
