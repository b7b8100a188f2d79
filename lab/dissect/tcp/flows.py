"""Flows: which side opened a connection, how the handshake went, what each side sent, how it ended.

    initiator                         responder
       | --- SYN, seq = x ----------------> |      the first time numbers are named: x and y are the initial
       | <-- SYN, ACK, seq = y, ack = x+1 - |      sequence numbers (RFC 9293 section 3.5)
       | --- ACK, seq = x+1, ack = y+1 ---> |
       |               ...                  |
       | --- FIN -------------------------> |      each side closes its own direction (section 3.6);
       | <-- ACK, later FIN --------------- |      a RST ends both at once

Times are those of the capture point. From there a handshake shows two round trips: SYN to SYN-ACK is the way
to the responder and back, SYN-ACK to ACK the way to the initiator and back; together they make one from end
to end.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.analysis import Event, analyse
from lab.dissect.tcp.options import LARGEST_SHIFT
from lab.dissect.tcp.segments import ACK, FIN, RST, SYN, Endpoint, Segments
from lab.dissect.tcp.streams import Stream


@dataclass(frozen=True)
class Offer:
    """The options in one side's SYN; None where it did not offer one."""

    mss: int | None  # bytes
    window_shift: int | None
    sack_permitted: bool
    timestamps: bool


@dataclass(frozen=True)
class Handshake:
    """The three frames that open a flow. ``syn`` is the last SYN before the answer, if it was repeated."""

    syn: int  # frame numbers
    syn_ack: int
    ack: int | None  # None where the third frame was not captured
    syn_retransmissions: int
    initiator_isn: int  # initial sequence numbers, as on the wire
    responder_isn: int
    initiator: Offer
    responder: Offer
    responder_rtt_s: float  # SYN to SYN-ACK
    initiator_rtt_s: float | None  # SYN-ACK to ACK
    rtt_s: float | None  # both

    @property
    def agreed(self) -> dict[str, bool]:
        """Return which options both sides offered and the flow uses (the segment size needs no consent)."""
        ours, theirs = self.initiator, self.responder
        return {
            "window_scaling": ours.window_shift is not None and theirs.window_shift is not None,
            "sack": ours.sack_permitted and theirs.sack_permitted,
            "timestamps": ours.timestamps and theirs.timestamps,
        }


class Flow:
    """Both directions between two endpoints. ``rows`` are indices into the segments, in file order."""

    def __init__(self, segments: Segments, number: int, rows: Column) -> None:
        self.segments, self.number, self.rows = segments, number, rows

    def __repr__(self) -> str:
        return f"<Flow {self.number}: {self.initiator} to {self.responder}, {len(self.rows)} segments>"

    @property
    def initiator_known(self) -> bool:
        """Return False if no SYN was captured: then the sender of the first segment is called the initiator."""
        return bool((self.segments.flags[self.rows] & SYN).any())

    @cached_property
    def _is_initiators(self) -> Column:
        """bool: which rows are the initiator's.

        The initiator is the sender of the first SYN; failing that, the receiver of the first SYN-ACK; failing
        that, the sender of the first segment.
        """
        directions, flags = self.segments.direction[self.rows], self.segments.flags[self.rows]
        for opening, is_answer in ((SYN, False), (SYN | ACK, True)):
            if len(found := np.flatnonzero(flags & (SYN | ACK) == opening)):
                return (directions == directions[found[0]]) ^ is_answer
        return directions == directions[0]

    @cached_property
    def from_initiator(self) -> Stream:
        return Stream(self.segments, self.rows[self._is_initiators])

    @cached_property
    def from_responder(self) -> Stream:
        return Stream(self.segments, self.rows[~self._is_initiators])

    @cached_property
    def initiator(self) -> Endpoint:
        return self.segments.endpoint(self.rows[0], destination=not self._is_initiators[0])

    @cached_property
    def responder(self) -> Endpoint:
        return self.segments.endpoint(self.rows[0], destination=bool(self._is_initiators[0]))

    @property
    def start_ns(self) -> int:
        return int(self.segments.time_ns[self.rows[0]])

    @property
    def duration_s(self) -> float:
        return self.seconds(self.rows[-1])

    def seconds(self, row: int, since: int | None = None) -> float:
        """Return when segment ``row`` was recorded, in seconds since segment ``since``, or the flow's first one."""
        times = self.segments.time_ns
        start = times[self.rows[0] if since is None else since]
        return (int(times[row]) - int(start)) / 1e9  # a hostile file's times may be 500 years apart

    @cached_property
    def _opening(self) -> tuple[list[int], int, int | None] | None:
        """The rows of the handshake: the SYNs, the SYN-ACK, and the ACK if it was captured."""
        segments, rows = self.segments, self.rows
        flags = segments.flags[rows]
        acks: dict[int, list[int]] = {}  # the numbers that pure ACKs of the initiator acknowledge: rows
        pure = rows[(flags & (SYN | RST | ACK) == ACK) & self._is_initiators]
        for number, row in zip(segments.ack[pure].tolist(), pure.tolist(), strict=True):
            acks.setdefault(number, []).append(row)
        syns, found = [], None
        for row in rows[flags & SYN != 0].tolist():
            if not segments.flags[row] & ACK:
                syns.append(row)
            elif syns and int(segments.ack[row]) == (int(segments.seq[syns[-1]]) + 1) % (1 << 32):
                later = acks.get((int(segments.seq[row]) + 1) % (1 << 32), [])
                place = bisect_right(later, row)
                if place < len(later):
                    return syns, row, later[place]
                found = found or (list(syns), row, None)
        return found

    @cached_property
    def handshake(self) -> Handshake | None:
        """The handshake, with the first SYN-ACK that was acknowledged; None if SYN or SYN-ACK is missing."""
        if self._opening is None:
            return None
        segments = self.segments
        syns, answer, ack = self._opening
        syn = syns[-1]
        return Handshake(
            syn=int(segments.number[syn]),
            syn_ack=int(segments.number[answer]),
            ack=None if ack is None else int(segments.number[ack]),
            syn_retransmissions=len(syns) - 1,
            initiator_isn=int(segments.seq[syn]),
            responder_isn=int(segments.seq[answer]),
            initiator=self._offer(syn),
            responder=self._offer(answer),
            responder_rtt_s=self.seconds(answer, since=syn),
            initiator_rtt_s=None if ack is None else self.seconds(ack, since=answer),
            rtt_s=None if ack is None else self.seconds(ack, since=syn),
        )

    def _offer(self, row: int) -> Offer:
        options = self.segments.options
        mss, shift = int(options.mss[row]), int(options.window_shift[row])
        return Offer(
            mss=None if mss < 0 else mss,
            window_shift=None if shift < 0 else min(shift, LARGEST_SHIFT),
            sack_permitted=bool(options.sack_permitted[row]),
            timestamps=bool(options.timestamp[row] >= 0),
        )

    @cached_property
    def closing(self) -> str:
        """The end of the flow in words; begins with "closed", "half-closed", "reset" or "still open"."""
        segments = self.segments
        since = self._opening[1] if self._opening else -1  # a FIN or RST before that ended something else

        def first(rows: Column, flag: int) -> list[int]:
            return rows[(segments.flags[rows] & flag != 0) & (rows > since)][:1].tolist()

        fins = sorted(first(self.from_initiator.rows, FIN) + first(self.from_responder.rows, FIN))
        resets = first(self.rows, RST)
        sender = {row: f"{segments.endpoint(row)} (frame {segments.number[row]})" for row in fins + resets}
        if len(fins) == 2:
            text = f"closed: FIN from {sender[fins[0]]}, then from {sender[fins[1]]}"
            if not resets:
                return text
            which = "then RST" if resets[0] > fins[1] else "RST before"
            return f"{text}, {which} (frame {segments.number[resets[0]]})"
        if resets:
            when = "after" if fins and fins[0] < resets[0] else "before"
            text = f"reset: RST from {sender[resets[0]]}"
            return f"{text} {when} FIN from {sender[fins[0]]}" if fins else text
        if fins:
            end, number = segments.endpoint(fins[0]), segments.number[fins[0]]
            return f"half-closed: FIN from {end} only (frame {number})"
        return "still open when the capture ends"

    @cached_property
    def events(self) -> list[Event]:
        """Retransmissions, duplicate ACKs, zero windows and the like, named as Wireshark names them."""
        return analyse(self.segments, self.rows)

    @cached_property
    def events_by_row(self) -> dict[int, list[Event]]:
        found: dict[int, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.row, []).append(event)
        return found


def find_flows(segments: Segments) -> list[Flow]:
    """Return all flows of a capture, in the order of their numbers."""
    # Numbers of 16 bits are sorted by counting, five times as fast.
    flow = segments.flow.astype(np.uint16) if segments.flow_count < 1 << 16 else segments.flow
    rows = np.argsort(flow, kind="stable")
    edges = np.searchsorted(flow[rows], np.arange(segments.flow_count + 1)).tolist()
    return [Flow(segments, number, rows[begin:end]) for number, (begin, end) in enumerate(pairwise(edges))]


def find_flow(segments: Segments, number: int) -> Flow:
    """Return one flow: quicker than all of them. IndexError if there is no such flow."""
    if not 0 <= number < segments.flow_count:
        raise IndexError(f"flow {number} of a capture with {segments.flow_count} flows")
    return Flow(segments, number, np.flatnonzero(segments.flow == number))
