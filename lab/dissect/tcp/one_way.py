"""One direction of a flow in numbers: what was sent when, and what the other side acknowledged.

Times are seconds since the flow's first segment, at the point of capture. Numbers are relative to the
sender's initial sequence number, and unwrapped: they go on rising where those on the wire begin again at zero
(RFC 9293 section 3.4).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.flow_numbers import ahead
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import ACK, FIN, RST, SYN, Endpoint

REPEATED = {"retransmission", "fast_retransmission", "spurious_retransmission"}
DIRECTIONS = ("initiator", "responder")
LEAST_BURST = 4  # segments
UNSEEN = 1 / 1000  # of a flow's duration: half a point in a picture that is ten inches wide
NARROW = 1 / 25  # of a flow's duration; segments that fill more of it are no burst but a steady upload


@dataclass(frozen=True)
class Sent:
    """A segment that takes up sequence numbers ``start`` to ``end`` (SYN and FIN take one each)."""

    frame: int
    time_s: float
    start: int
    end: int
    payload_length: int  # bytes
    syn: bool
    fin: bool
    repeated: bool  # its numbers were recorded before or, as far as an observer can tell, sent before
    overtaken: bool  # arrives behind a later one, and for the first time


@dataclass(frozen=True)
class Acknowledged:
    """A segment from the other side: everything before ``ack`` arrived, ``window`` more bytes may come."""

    frame: int
    time_s: float
    ack: int
    window: int  # bytes, scaled
    duplicate: bool
    blocks: tuple[tuple[int, int], ...]  # SACK: these numbers arrived as well (RFC 2018)

    @property
    def edge(self) -> int:
        """The first number that may not be sent yet."""
        return self.ack + self.window


@dataclass
class OneWay:
    """All of one direction, in file order."""

    sender: Endpoint
    receiver: Endpoint
    sent: list[Sent]
    acknowledged: list[Acknowledged]

    @cached_property
    def order(self) -> list[Sent | Acknowledged]:
        """Both, as recorded."""
        return sorted([*self.sent, *self.acknowledged], key=lambda item: item.frame)


@dataclass(frozen=True)
class RoundTrip:
    """From a segment to the acknowledgement that covers it, both as they passed the point of capture."""

    frame: int  # of the segment
    ack_frame: int
    time_s: float  # when the acknowledgement passed
    rtt_s: float


@dataclass(frozen=True)
class InFlight:
    """The bytes sent and not yet acknowledged from ``time_s`` on; the receiver would take ``window``."""

    time_s: float
    in_flight: int
    window: int | None  # None before the receiver has said anything


def one_way(flow: Flow, direction: str = "initiator") -> OneWay:
    """Return a flow as its sender, "initiator" or "responder", sees it. ValueError for another ``direction``."""
    if direction not in DIRECTIONS:
        raise ValueError(f"direction {direction!r}; there are 'initiator' and 'responder', for who sends")
    sides = [(flow.initiator, flow.from_initiator), (flow.responder, flow.from_responder)]
    (sender, stream), (receiver, back) = sides if direction == "initiator" else sides[::-1]
    segments = flow.segments
    rows = stream.rows[segments.length_known[stream.rows]]
    sent: list[Sent] = []
    starts: set[int] = set()
    for row, start in zip(rows.tolist(), unwrap(segments.relative_seq[rows]), strict=True):
        if segments.flags[row] & RST:
            continue
        item = _sent(flow, row, start)
        if item.overtaken and start in starts:  # recorded before: Wireshark's rule goes by the time alone
            item = replace(item, repeated=True, overtaken=False)
        if item.payload_length:
            starts.add(start)
        sent.append(item)
    rows = back.rows[(segments.flags[back.rows] & (ACK | RST)) == ACK]
    acknowledged = [
        _acknowledged(flow, row, ack)
        for row, ack in zip(rows.tolist(), unwrap(segments.relative_ack[rows]), strict=True)
    ]
    return OneWay(sender, receiver, [item for item in sent if item.end > item.start], acknowledged)


def _sent(flow: Flow, row: int, start: int) -> Sent:
    segments, names = flow.segments, {event.name for event in flow.events_by_row.get(row, ())}
    flags, length = int(segments.flags[row]), int(segments.payload_length[row])
    syn, fin = bool(flags & SYN), bool(flags & FIN)
    return Sent(
        frame=int(segments.number[row]),
        time_s=flow.seconds(row),
        start=start,
        end=start + length + syn + fin,
        payload_length=length,
        syn=syn,
        fin=fin,
        repeated=bool(names & REPEATED),
        overtaken="out_of_order" in names,
    )


def _acknowledged(flow: Flow, row: int, ack: int) -> Acknowledged:
    segments, options = flow.segments, flow.segments.options
    count, base = int(options.sack_count[row]), int(segments.ack[row])
    left, right = (edges[row, :count].tolist() for edges in (options.sack_left, options.sack_right))
    return Acknowledged(
        frame=int(segments.number[row]),
        time_s=flow.seconds(row),
        ack=ack,
        window=int(segments.scaled_window[row]),
        duplicate=any(event.name == "duplicate_ack" for event in flow.events_by_row.get(row, ())),
        blocks=tuple((ack + ahead(a, base), ack + ahead(b, base)) for a, b in zip(left, right, strict=True)),
    )


def round_trips(way: OneWay) -> tuple[list[RoundTrip], int]:
    """Return the round trips of a direction, and how many acknowledgements measured none.

    An acknowledgement measures the last segment that it covers. It measures nothing if any segment that it
    covers was sent twice (nobody can say which of the two it answers: Karn's algorithm, RFC 6298 section 3).
    """
    found: list[RoundTrip] = []
    waiting: list[tuple[int, Sent]] = []  # (end, segment), the numbers rising
    doubtful: set[int] = set()  # ends of segments that were sent twice
    highest = left_out = 0
    for item in way.order:
        if isinstance(item, Sent):
            if item.start < highest:
                doubtful |= {end for end, old in waiting if old.start < item.end and item.start < end}
            if item.end > highest:
                waiting.append((item.end, item))
                if item.start < highest:
                    doubtful.add(item.end)
                highest = item.end
            continue
        covered = [entry for entry in waiting if entry[0] <= item.ack]
        if not covered:
            continue
        waiting = waiting[len(covered) :]
        if any(end in doubtful for end, _ in covered):
            left_out += 1
            continue
        segment = covered[-1][1]
        found.append(RoundTrip(segment.frame, item.frame, item.time_s, item.time_s - segment.time_s))
    return found, left_out


def in_flight(way: OneWay) -> list[InFlight]:
    """Return the bytes sent and not yet acknowledged after each segment (FlightSize, RFC 5681 section 2)."""
    steps: list[InFlight] = []
    first = way.sent[0].start if way.sent else 0
    highest, ack, edge = first, first, None
    for item in way.order:
        if isinstance(item, Sent):
            highest = max(highest, item.end)
        else:
            ack, edge = max(ack, item.ack), item.edge
        window = None if edge is None else max(0, edge - ack)
        steps.append(InFlight(item.time_s, max(0, highest - ack), window))
    return steps


def densest_burst(way: OneWay, duration_s: float) -> list[Sent]:
    """Return the most data segments so close together that a picture of ``duration_s`` shows one line.

    Each is less than UNSEEN of the duration away from the one before, and all are within NARROW of it. The
    first of several bursts of one size; an empty list if none has LEAST_BURST segments, or if all of one have
    the same time.
    """
    runs: list[list[Sent]] = []
    for item in way.sent:
        if not item.payload_length:
            continue
        if runs and abs(item.time_s - runs[-1][-1].time_s) < UNSEEN * duration_s:
            runs[-1].append(item)
        else:
            runs.append([item])
    bursts = []
    for run in runs:
        first, last = burst_times(run)
        if len(run) >= LEAST_BURST and 0 < last - first < NARROW * duration_s:
            bursts.append(run)
    return max(bursts, key=len, default=[])


def burst_times(burst: list[Sent]) -> tuple[float, float]:
    """Return a burst's first and last time, in seconds; a file need not be in the order of its times."""
    times = [item.time_s for item in burst]
    return min(times), max(times)


def unwrap(numbers: Column) -> list[int]:
    """Return uint32 numbers as they go on, without beginning again at zero."""
    if not len(numbers):
        return []
    wide = numbers.astype(np.int64)
    steps = (np.diff(wide) + 2**31) % 2**32 - 2**31
    first = ahead(int(wide[0]), 0)
    return np.concatenate([[first], first + np.cumsum(steps)]).tolist()
