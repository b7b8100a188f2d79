"""The directions of all flows at once: which came in order, and their payloads copied together.

Nearly every direction of a real capture is in order: its last SYN, then payloads that each begin where the
one before ended. ``sort_directions`` finds these with numpy and without a loop; the others are put together
segment by segment (``reassembly``).
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.reassembly import number_of_payload
from lab.dissect.tcp.segments import SYN, Segments

_BLOCK = 1 << 16  # payloads copied at a time
LARGEST_COPY = 1 << 28  # bytes; so many payloads in all may be copied together, to be cut up into streams


class Payloads:
    """The payloads of many segments, in the order in which they follow one another."""

    def __init__(self, segments: Segments, rows: Column, lengths: Column) -> None:
        self.segments, self.rows, self.lengths = segments, rows, lengths
        self.starts = segments.payload_offset[rows]
        self.places = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def join(self, first: int, last: int, begin: int, end: int) -> bytes:
        """Return payloads ``first`` up to ``last``, end to end: bytes ``begin`` to ``end`` of all."""
        if self.places[-1] <= LARGEST_COPY:
            return self._together[begin:end].tobytes()
        raw, starts = self.segments.capture.raw, self.starts[first:last]
        ends = (starts + self.lengths[first:last]).tolist()
        return b"".join([raw[start:end] for start, end in zip(starts.tolist(), ends, strict=True)])

    @cached_property
    def _together(self) -> memoryview:
        """All payloads end to end.

        Half a million slices take a while in Python, so numpy copies all payloads of one length in one go, as
        opaque items of that many bytes; and block by block of the file, to stay in the cache.
        """
        data, joined = self.segments.capture.data, np.empty(self.places[-1], np.uint8)
        place_of_row = np.full(len(self.segments), -1, np.int32)
        place_of_row[self.rows] = np.arange(len(self.rows))
        in_file_order = place_of_row[place_of_row >= 0]
        for start in range(0, len(in_file_order), _BLOCK):
            block = in_file_order[start : start + _BLOCK]
            lengths = self.lengths[block]
            small = lengths.astype(np.uint16) if lengths.max() < 1 << 16 else lengths  # sorted by counting
            block = block[np.argsort(small, kind="stable")]
            lengths, sources, targets = self.lengths[block], self.starts[block], self.places[block]
            edges = np.flatnonzero(lengths[1:] != lengths[:-1]) + 1
            for first, last in pairwise([0, *edges.tolist(), len(block)]):
                kind = f"V{lengths[first]}"
                source = np.ndarray((len(data) - int(lengths[first]) + 1,), kind, data, strides=(1,))
                target = np.ndarray((len(joined) - int(lengths[first]) + 1,), kind, joined, strides=(1,))
                target[targets[first:last]] = source[sources[first:last]]
        return joined.data


@dataclass
class InOrder:
    """A direction whose segments all came in order: its payloads are those from ``first`` up to ``last``."""

    payloads: Payloads
    first: int
    last: int
    begin: int  # bytes, among all payloads
    end: int


def sort_directions(segments: Segments) -> tuple[Column, Column, list[InOrder | None]]:
    """Return rows sorted by flow and direction, where each direction begins, and its InOrder or None.

    Direction d of flow f is number 2 f + d.
    """
    count = 2 * segments.flow_count
    # Numbers of 16 bits are sorted by counting, five times as fast.
    kind = np.uint16 if count < 1 << 16 else np.int64
    key = segments.flow.astype(kind) * kind(2) + segments.direction.astype(kind)
    rows = np.argsort(key, kind="stable")
    key = key[rows]
    begins = np.searchsorted(key, np.arange(count + 1))
    lengths = segments.payload_captured[rows]
    carrying = np.flatnonzero(lengths > 0)
    carriers, key, lengths = rows[carrying], key[carrying], lengths[carrying]
    starts = number_of_payload(segments, carriers)
    expected = np.empty_like(starts)
    expected[1:] = starts[:-1] + lengths[:-1].astype(np.uint32)
    first = np.concatenate([[True], key[1:] != key[:-1]])[: len(key)]
    expected[first], opened = _numbers_after_syn(segments, key[first], carriers[first])
    good = np.ones(count, bool)
    good[key[(starts != expected) | (segments.payload_length[carriers] != lengths)]] = False
    good[key[first][~opened]] = False
    payloads = Payloads(segments, carriers, lengths)
    edges = np.searchsorted(key, np.arange(count + 1))
    bounds, places = edges.tolist(), payloads.places[edges].tolist()
    found = [
        InOrder(payloads, bounds[i], bounds[i + 1], places[i], places[i + 1]) if in_order else None
        for i, in_order in enumerate(good.tolist())
    ]
    return rows, begins, found


def _numbers_after_syn(segments: Segments, directions: Column, carriers: Column) -> tuple[Column, Column]:
    """Return each direction's number behind the last SYN before its first payload, and whether there is one.

    ``carriers`` are the rows of those payloads.
    """
    syns = np.flatnonzero(segments.flags & SYN)
    direction = segments.flow[syns].astype(np.int64) * 2 + segments.direction[syns]
    place = np.sort(direction << 32 | syns)
    last = np.searchsorted(place, directions.astype(np.int64) << 32 | carriers, side="right") - 1
    found = last >= 0
    found[found] = place[last[found]] >> 32 == directions[found]
    numbers = np.zeros(len(directions), np.uint32)
    numbers[found] = segments.seq[place[last[found]] & 0xFFFFFFFF] + np.uint32(1)
    return numbers, found
