"""Where a stream begins, and which segment brings which of its bytes: the receiver's rules.

**The beginning.** A direction begins behind its last SYN or SYN-ACK before its first payload; where there are
several, behind the one that the payload follows. So a connection that was refused first, with a RST of number
0, begins where it was accepted. A capture that begins in the middle shows no SYN: then the stream begins at
the first segment that is not a RST, or at the first payload where that is farther away than a window.

**The bytes.** RFC 9293 section 3.10.7.4: a segment that begins where the bytes so far end is taken; one from
further on waits; of one that begins earlier only the part beyond the end is new. The rest of it is noted as
an overlap. Numbers are compared modulo 2**32: what is more than 2 GiB ahead counts as behind.
"""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.flow_numbers import ahead
from lab.dissect.tcp.segments import RST, SYN, Segments

LARGEST_WINDOW = 1 << 30  # bytes (RFC 7323 section 2.3)


class Layout(NamedTuple):
    """Which segments bring the bytes of a stream."""

    rows: list[int]
    skips: list[int]  # how much of each payload to skip
    offsets: list[int]  # of each in the stream
    length: int  # of the stream
    gaps: list[tuple[int, int]]  # offset and length of what is missing
    # What is not taken of a payload: row, begin and length there, and the offset of the bytes that the stream
    # has in its place; -1 where it lies before the beginning of the stream.
    overlaps: list[tuple[int, int, int, int]]


def lay_out(segments: Segments, rows: Column) -> Layout:
    """Return the layout of a direction whose segments are ``rows``, in file order."""
    carriers = rows[segments.payload_captured[rows] > 0]
    if len(carriers) == 0:
        return Layout([], [], [], 0, [], [])
    lengths, claimed = segments.payload_captured[carriers], segments.payload_length[carriers]
    starts = _number_of_payload(segments, carriers)
    beginning = _beginning(segments, rows, int(carriers[0]), int(starts[0]))
    ends = starts + lengths.astype(np.uint32)
    if starts[0] == beginning and (starts[1:] == ends[:-1]).all() and claimed[-1] == lengths[-1]:
        offsets = [0, *np.cumsum(lengths, dtype=np.int64).tolist()]  # all came in order, as nearly always
        return Layout(carriers.tolist(), [0] * len(carriers), offsets[:-1], offsets[-1], [], [])
    return _put_together(carriers.tolist(), starts.tolist(), lengths.tolist(), claimed.tolist(), beginning)


def _number_of_payload(segments: Segments, rows: Column) -> Column:
    """Return the sequence number (uint32) of the first payload byte of each row: a SYN takes one for itself."""
    return segments.seq[rows] + (segments.flags[rows] & SYN) // SYN


def _beginning(segments: Segments, rows: Column, carrier: int, start: int) -> int:
    """Return the number of a direction's first byte; its first payload, in row ``carrier``, begins at ``start``."""
    flags = segments.flags[rows]
    syns = rows[flags & SYN != 0]
    numbers = _number_of_payload(segments, syns).tolist()
    before = numbers[: int(np.searchsorted(syns, carrier, side="right"))]
    if before:
        return start if start in before else before[-1]
    if numbers and 0 <= ahead(start, numbers[0]) < LARGEST_WINDOW:  # the file has the SYN behind its data
        return numbers[0]
    others = segments.seq[rows[(flags & RST == 0) & (rows < carrier)]][:1].tolist()
    if others and abs(ahead(start, others[0])) < LARGEST_WINDOW:
        return others[0]
    return start


def _put_together(
    rows: list[int], starts: list[int], lengths: list[int], claimed: list[int], beginning: int
) -> Layout:
    """Go through segments in the order of arrival as a receiver would; ``claimed``: their lengths on the wire."""
    found = Layout([], [], [], 0, [], [])
    total = 0
    waiting: list[tuple[int, int, int, int]] = []  # a heap of (position, arrival, length, row)
    position = farthest = 0  # in the sender's stream, gaps included, not wrapped

    def take_what_fits() -> None:
        nonlocal total, position
        while waiting and waiting[0][0] <= position:
            start, _, length, row = heappop(waiting)
            skip = min(position - start, length)
            before = min(max(-start, 0), skip)
            if before:
                found.overlaps.append((row, 0, before, -1))
            if skip > before:
                found.overlaps.append((row, before, skip - before, total - position + start + before))
            if skip < length:
                found.rows.append(row)
                found.skips.append(skip)
                found.offsets.append(total)
                total += length - skip
                position += length - skip

    segments = zip(rows, starts, lengths, claimed, strict=True)
    for arrival, (row, number, length, on_wire) in enumerate(segments):
        start = position + ahead(number, beginning + position)
        farthest = max(farthest, start + on_wire)
        heappush(waiting, (start, arrival, length, row))
        take_what_fits()
    while waiting:
        found.gaps.append((total, waiting[0][0] - position))
        position = waiting[0][0]
        take_what_fits()
    if farthest > position:
        found.gaps.append((total, farthest - position))
    return found._replace(length=total)
