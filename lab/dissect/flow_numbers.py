"""Which flow each segment belongs to, and its sequence numbers counted from the flow's start.

A flow is both directions of one pair of endpoints (address, port). Flows are numbered in the order in which
they first appear, as Wireshark's ``tcp.stream`` does. Old port numbers come back: a SYN with another
initial sequence number than the flow's begins a new flow of the same endpoints.

Relative numbers subtract the initial sequence number (ISN, RFC 9293 section 3.4), so that a SYN is number 0
and the first byte is number 1. A capture that begins in the middle shows no SYN; then the first number seen
in a direction counts as 1, and an acknowledgement tells where the other direction stands.

Segments come in chunks. Nearly all flows are ordinary and are handled by numpy, a chunk at a time; a flow
with a second SYN, or with a SYN-ACK that contradicts what is known, is "odd" and goes segment by segment
through ``_step``.
"""

import numpy as np

SYN, ACK = 0x002, 0x010

_MIX_LOW, _MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class FlowNumbers:
    """Feed it the segments of a capture in order, a chunk at a time."""

    def __init__(self):
        self.conversations: dict[tuple[int, int], int] = {}  # endpoints -> conversation
        self.current: list[int] = []  # conversation -> its latest flow
        self.odd: set[int] = set()  # conversations that must go one by one
        self.flows = 0
        self.reused: set[int] = set()  # flows that began with a second SYN between the same endpoints
        # What is known of each direction, indexed by 2 * flow + direction.
        self.known = np.zeros(64, bool)
        self.base = np.zeros(64, np.uint32)

    def feed(self, source, destination, seq, ack, flags, has_length):
        """(flow int32, direction uint8, relative seq uint32, relative ack uint32) of the next segments.

        SOURCE and DESTINATION are endpoints as uint64; direction 0 goes from the smaller to the larger.
        HAS_LENGTH says where a segment's length is known: only such a segment tells where a direction
        stands.
        """
        direction = (source > destination).astype(np.uint8)
        conversation, first_rows = self._conversations(source, destination)
        kind = flags & (SYN | ACK)
        firsts = set(first_rows)
        for row in np.flatnonzero(kind == SYN).tolist():
            if row not in firsts:
                self.odd.add(int(conversation[row]))
        self._grow(self.flows + len(first_rows) + 1)
        columns = (direction, seq, ack, flags, has_length)
        odd_rows = self._rows_of(self.odd, conversation)
        stepped = self._number(first_rows, odd_rows, conversation, columns)
        flow = np.array(self.current, np.int32)[conversation]
        for row, (number, _, _) in stepped.items():
            flow[row] = number
        key = flow.astype(np.int64) * 2 + direction
        learnt = self._learn(key, seq, ack, flags, has_length, odd_rows)
        contrary = (kind == (SYN | ACK)) & has_length & (seq != self.base[key])
        contrary[odd_rows] = False
        if contrary.any():
            # Forget what this chunk taught us about these conversations, and go through them one by one.
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

    def _conversations(self, source, destination):
        """The conversation of each row, and the first row of each new one, in order."""
        low, high = np.minimum(source, destination), np.maximum(source, destination)
        mixed = low * _MIX_LOW ^ (high * _MIX_HIGH + (high >> np.uint64(29)))
        _, first, inverse = np.unique(mixed, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        if ((low[first][inverse] != low) | (high[first][inverse] != high)).any():
            # Two pairs of endpoints were mixed into one number (by chance or by malice): sort the pairs
            # themselves.
            pairs = np.empty(len(low), [("low", "u8"), ("high", "u8")])
            pairs["low"], pairs["high"] = low, high
            _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
            inverse = inverse.reshape(-1)
        number = np.empty(len(first), np.int64)
        new_rows = []
        lows, highs, rows = low[first].tolist(), high[first].tolist(), first.tolist()
        for item in np.argsort(first, kind="stable").tolist():
            pair = (lows[item], highs[item])
            known = self.conversations.get(pair)
            if known is None:
                known = self.conversations[pair] = len(self.conversations)
                self.current.append(-1)
                new_rows.append(rows[item])
            number[item] = known
        return number[inverse], new_rows

    def _rows_of(self, conversations: set[int], conversation) -> np.ndarray:
        if not conversations:
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.isin(conversation, np.fromiter(conversations, np.int64)))

    def _number(self, first_rows, odd_rows, conversation, columns) -> dict[int, tuple]:
        """Give new flows their numbers, in order; and take the steps of the odd conversations on the way."""
        if len(odd_rows) == 0:
            for row in first_rows:
                self.current[int(conversation[row])] = self.flows
                self.flows += 1
            return {}
        direction, seq, _, flags, _ = columns
        firsts, odd, stepped = set(first_rows), set(odd_rows.tolist()), {}
        for row in sorted(firsts | odd):
            which = int(conversation[row])
            new = row in firsts
            if row in odd and not new and flags[row] & (SYN | ACK) == SYN:
                key = 2 * self.current[which] + int(direction[row])
                new = bool(self.known[key]) and int(self.base[key]) != int(seq[row])
                if new:
                    self.reused.add(self.flows)
            if new:
                self.current[which] = self.flows
                self.flows += 1
                self._grow(self.flows)
            if row in odd:
                stepped[row] = self._step(row, self.current[which], columns)
        return stepped

    def _step(self, row: int, flow: int, columns) -> tuple[int, int, int]:
        """One segment of an odd conversation: (flow, base of its seq, base of its ack)."""
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

    def _learn(self, key, seq, ack, flags, has_length, odd_rows) -> np.ndarray:
        """Note the base of each direction that shows itself for the first time; gives those directions'
        keys.
        """
        teaches = has_length.copy()
        teaches[odd_rows] = False
        own = np.flatnonzero(teaches & ~self.known[key])
        other = np.flatnonzero(teaches & ~self.known[key ^ 1] & (flags & ACK != 0))
        # A segment speaks of its own direction first, then of the other one.
        order = np.concatenate([own * 2, other * 2 + 1])
        keys = np.concatenate([key[own], key[other] ^ 1])
        bases = np.concatenate(
            [seq[own] - (flags[own] & SYN == 0).astype(np.uint32), ack[other] - np.uint32(1)]
        )
        by_time = np.argsort(order)
        learnt, first = np.unique(keys[by_time], return_index=True)
        self.base[learnt] = bases[by_time][first]
        self.known[learnt] = True
        return learnt

    def _grow(self, flows: int) -> None:
        if 2 * flows > len(self.known):
            more = 4 * flows - len(self.known)
            self.known = np.append(self.known, np.zeros(more, bool))
            self.base = np.append(self.base, np.zeros(more, np.uint32))
