"""Which flow each segment belongs to, and its sequence numbers counted from the flow's start.

A flow is both directions of one pair of endpoints (address, port). Flows are numbered in the order in which
they first appear, like Wireshark's ``tcp.stream``. Ports are used again: a SYN with another initial sequence
number than the flow's begins a new flow of the same endpoints.

Relative numbers subtract the initial sequence number (ISN, RFC 9293 section 3.4), so that a SYN is number 0
and the first byte is number 1. A capture that begins in the middle shows no SYN; then the first number seen
in a direction counts as 1, and an acknowledgement shows where the other direction is.

Segments come in chunks. Nearly all flows are ordinary and are handled by numpy, a chunk at a time. A flow
with a second SYN, or with a SYN-ACK that contradicts what is known, is "odd" and goes segment by segment
through ``_step``.
"""

from typing import NamedTuple

import numpy as np

from lab.dissect.files.bytes_view import Column

SYN, ACK = 0x002, 0x010

TABLE_BITS = 18  # the table has 2**18 places
NO_ENDPOINT = np.uint64(2**64 - 1)

# Large odd numbers without a pattern: multiplying by them spreads endpoints over the table.
MIX_LOW, MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def ahead(a: int, b: int) -> int:
    """Return how far sequence number ``a`` is ahead of ``b``; negative: behind (RFC 9293 section 3.4)."""
    distance = (a - b) % (1 << 32)
    return distance if distance < 1 << 31 else distance - (1 << 32)


class Conversations:
    """Numbers for pairs of endpoints: a dictionary, and before it a table that looks up a whole column at once.

    Every pair has a place in the table, computed from itself. The table holds the pair that was looked up there
    last. All rows look at their places together; where another pair stands, the first row that wants the place
    puts its own there, with the number that the dictionary has for it, until every row has found its pair.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}
        # By place: the endpoints, the smaller one first; their number; the row that wants the place.
        self.low, self.high = (np.full(1 << TABLE_BITS, NO_ENDPOINT) for _ in range(2))
        self.number, self.wanted_by = (np.zeros(1 << TABLE_BITS, np.int32) for _ in range(2))

    def look_up(self, low: Column, high: Column) -> tuple[Column, Column]:
        """Return the conversation of each row (int32), and the first row of each new one, in order of rows."""
        mixed = low * MIX_LOW ^ (high * MIX_HIGH + (high >> np.uint64(29)))
        place = ((mixed * MIX_HIGH) >> np.uint64(64 - TABLE_BITS)).astype(np.int64)
        conversation = self.number[place]
        pending = np.flatnonzero((self.low[place] != low) | (self.high[place] != high))
        new = []
        while len(pending):
            places = place[pending]
            self.wanted_by[places[::-1]] = pending[::-1]  # written backwards, the first row of a place stays
            rows = pending[self.wanted_by[places] == pending]
            for row, one, other in zip(rows.tolist(), low[rows].tolist(), high[rows].tolist(), strict=True):
                count = len(self.numbers)
                self.number[place[row]] = number = self.numbers.setdefault((one, other), count)
                if number == count:
                    new.append(row)
            self.low[place[rows]], self.high[place[rows]] = low[rows], high[rows]
            is_found = (self.low[places] == low[pending]) & (self.high[places] == high[pending])
            conversation[pending[is_found]] = self.number[places[is_found]]
            pending = pending[~is_found]
        return conversation, np.array(sorted(new), np.int64)


class _Segments(NamedTuple):
    """The columns of a chunk."""

    direction: Column
    seq: Column
    ack: Column
    flags: Column
    has_length: Column


class FlowNumbers:
    """Feed it the segments of a capture in order, a chunk at a time."""

    def __init__(self) -> None:
        self.conversations = Conversations()
        self.current = np.full(1024, -1, np.int32)  # conversation -> its latest flow
        self.odd: set[int] = set()  # conversations that must go one by one
        self.flows = 0
        self.reused: set[int] = set()  # flows that began with a second SYN between the same endpoints
        # What is known of each direction, indexed by 2 * flow + direction.
        self.known = np.zeros(2048, bool)
        self.base = np.zeros(2048, np.uint32)
        self.first = np.zeros(2048, np.int32)  # row of the chunk, for ``_earliest``

    def feed(
        self, source: Column, destination: Column, seq: Column, ack: Column, flags: Column, has_length: Column
    ) -> tuple[Column, Column, Column, Column]:
        """Return flow (int32), direction (uint8), relative seq and relative ack (uint32) of the next segments.

        ``source`` and ``destination`` are endpoints as uint64; direction 0 goes from the smaller to the larger.
        ``has_length``: the segment's length is known, so that it shows where its direction is.
        """
        direction = (source > destination).astype(np.uint8)
        low, high = np.minimum(source, destination), np.maximum(source, destination)
        conversation, first_rows = self.conversations.look_up(low, high)
        kind = flags & (SYN | ACK)
        later_syn = kind == SYN
        later_syn[first_rows] = False
        self.odd.update(conversation[later_syn].tolist())
        self._grow(self.flows + len(first_rows) + 1)
        columns = _Segments(direction, seq, ack, flags, has_length)
        odd_rows = self._rows_of(self.odd, conversation)
        stepped = self._number(first_rows, odd_rows, conversation, columns)
        flow = self.current[conversation]
        for row, (number, _, _) in stepped.items():
            flow[row] = number
        key = flow.astype(np.int64) * 2 + direction
        learnt = self._learn(key, columns, odd_rows)
        contrary = (kind == (SYN | ACK)) & has_length & (seq != self.base[key])
        contrary[odd_rows] = False
        if contrary.any():
            # Forget what this chunk showed of these conversations, and go through them one by one.
            again = set(conversation[contrary].tolist())
            self.odd |= again
            rows = self._rows_of(again, conversation)
            self.known[np.intersect1d(learnt, np.concatenate([key[rows], key[rows] ^ 1]))] = False
            for row in rows.tolist():
                stepped[row] = self._step(row, int(flow[row]), columns)
        relative_seq = seq - self.base[key]
        relative_ack = np.where(flags & ACK, ack - self.base[key ^ 1], ack)
        for row, (_, own, other) in stepped.items():
            relative_seq[row] = (int(seq[row]) - own) & 0xFFFFFFFF
            relative_ack[row] = (int(ack[row]) - other) & 0xFFFFFFFF
        return flow, direction, relative_seq, relative_ack

    def _rows_of(self, conversations: set[int], conversation: Column) -> Column:
        if not conversations:
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.isin(conversation, np.fromiter(conversations, np.int64)))

    def _number(
        self, first_rows: Column, odd_rows: Column, conversation: Column, columns: _Segments
    ) -> dict[int, tuple[int, int, int]]:
        """Number new flows, in order; and take the steps of the odd conversations on the way."""
        if len(odd_rows) == 0:
            self.current[conversation[first_rows]] = np.arange(self.flows, self.flows + len(first_rows))
            self.flows += len(first_rows)
            return {}
        direction, seq, _, flags, _ = columns
        firsts, odd = set(first_rows.tolist()), set(odd_rows.tolist())
        stepped: dict[int, tuple[int, int, int]] = {}
        for row in sorted(firsts | odd):
            which = int(conversation[row])
            new = row in firsts
            if row in odd and not new and flags[row] & (SYN | ACK) == SYN:
                key = 2 * int(self.current[which]) + int(direction[row])
                new = bool(self.known[key]) and int(self.base[key]) != int(seq[row])
                if new:
                    self.reused.add(self.flows)
            if new:
                self.current[which] = self.flows
                self.flows += 1
                self._grow(self.flows)
            if row in odd:
                stepped[row] = self._step(row, int(self.current[which]), columns)
        return stepped

    def _step(self, row: int, flow: int, columns: _Segments) -> tuple[int, int, int]:
        """Take one segment of an odd conversation; return flow, base of its seq, base of its ack."""
        direction, seq, ack, flags, has_length = columns
        key, bits = 2 * flow + int(direction[row]), int(flags[row])
        if has_length[row]:
            if not self.known[key] or (bits & (SYN | ACK)) == (SYN | ACK):
                self.base[key] = (int(seq[row]) - (not bits & SYN)) & 0xFFFFFFFF
                self.known[key] = True
            if not self.known[key ^ 1] and bits & ACK:
                self.base[key ^ 1] = (int(ack[row]) - 1) & 0xFFFFFFFF
                self.known[key ^ 1] = True
        return flow, int(self.base[key]), int(self.base[key ^ 1]) if bits & ACK else 0

    def _learn(self, key: Column, columns: _Segments, odd_rows: Column) -> Column:
        """Note the base of each direction that is seen for the first time; return those directions' keys."""
        _, seq, ack, flags, has_length = columns
        teaches = has_length.copy()
        teaches[odd_rows] = False
        own = self._earliest(np.flatnonzero(teaches & ~self.known[key]), key)
        other = self._earliest(np.flatnonzero(teaches & ~self.known[key ^ 1] & (flags & ACK != 0)), key ^ 1)
        keys = np.concatenate([key[own], key[other] ^ 1])
        bases = np.concatenate([seq[own] - (flags[own] & SYN == 0), ack[other] - np.uint32(1)])
        backwards = np.argsort(np.concatenate([own, other]))[::-1]
        self.base[keys[backwards]] = bases[backwards]  # an earlier segment is written over a later one
        self.known[keys] = True
        return keys

    def _earliest(self, rows: Column, key: Column) -> Column:
        """Return those of ``rows`` (rising) that are the first with their key."""
        self.first[key[rows][::-1]] = rows[::-1]
        return rows[self.first[key[rows]] == rows]

    def _grow(self, flows: int) -> None:
        while len(self.conversations.numbers) > len(self.current):
            self.current = np.append(self.current, np.full_like(self.current, -1))
        if 2 * flows > len(self.known):
            more = 4 * flows - len(self.known)
            self.known = np.append(self.known, np.zeros(more, bool))
            self.base = np.append(self.base, np.zeros(more, np.uint32))
            self.first = np.append(self.first, np.zeros(more, np.int32))
