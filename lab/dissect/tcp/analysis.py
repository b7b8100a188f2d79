"""Find what went wrong on the way, by the sequence numbers, with the names of Wireshark's expert information.

One flow is gone through segment by segment, with what an observer can know of each side: the next number it
will send, its last acknowledgement and window, how often it repeated itself. From that each segment is
judged by itself:

    retransmission           sends again what was sent
    fast_retransmission      ... because three ACKs asked for it
    spurious_retransmission  sends what was acknowledged
    out_of_order             ... or a later segment overtook it
    lost_segment             begins beyond the next number
    ack_lost_segment         acknowledges what was not captured
    duplicate_ack            says again what it said
    window_update            ... but with another window
    zero_window              "send no more"
    window_full              fills the window to its edge
    zero_window_probe        one byte, to see if it opened
    zero_window_probe_ack    the answer: still closed
    keep_alive               one number back: "are you there?"
    keep_alive_ack           "I am"
    reused_ports             a new flow of old endpoints

These are judgements of an observer, not facts: from the outside an overtaken segment and a repeated one can
look the same, and Wireshark tells them apart by time (3 ms, or the round trip of the handshake). We use the
same yardsticks: the rules follow the chapter "TCP Analysis" of Wireshark's user's guide, with the behaviour
of version 4.0.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.flow_numbers import ahead
from lab.dissect.tcp.segments import ACK, FIN, RST, SYN, Segments
from lab.dissect.tcp.window_scale import UNKNOWN, UNUSED, learn_shifts

OUT_OF_ORDER_NS = 3_000_000  # until the handshake has shown the real round trip
FAST_RETRANSMISSION_NS = 20_000_000  # after the last of the duplicate ACKs

_MODULUS = 1 << 32

# As Wireshark's Info column shows them.
LABELS = {
    "retransmission": "TCP Retransmission",
    "fast_retransmission": "TCP Fast Retransmission",
    "spurious_retransmission": "TCP Spurious Retransmission",
    "out_of_order": "TCP Out-Of-Order",
    "lost_segment": "TCP Previous segment not captured",
    "ack_lost_segment": "TCP ACKed unseen segment",
    "duplicate_ack": "TCP Dup ACK",
    "window_update": "TCP Window Update",
    "zero_window": "TCP ZeroWindow",
    "window_full": "TCP Window Full",
    "zero_window_probe": "TCP ZeroWindowProbe",
    "zero_window_probe_ack": "TCP ZeroWindowProbeAck",
    "keep_alive": "TCP Keep-Alive",
    "keep_alive_ack": "TCP Keep-Alive ACK",
    "reused_ports": "TCP Port numbers reused",
}


@dataclass(frozen=True)
class Event:
    """One judgement. ``name`` is a key of LABELS and the last part of Wireshark's ``tcp.analysis.`` field."""

    row: int  # index into the segments
    number: int  # frame
    name: str
    detail: str = ""  # for a duplicate ACK: "frame#count" of what it repeats

    def __str__(self) -> str:
        return f"[{LABELS[self.name]}{' ' + self.detail if self.detail else ''}]"


class _Segment(NamedTuple):
    """One segment as it is judged. ``length_known`` is False for a fragment: its numbers prove nothing."""

    row: int
    number: int  # frame
    time: int
    direction: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    cut: bool  # the options were cut off
    length_known: bool
    shift: int  # the window-scale option, -1 if absent

    @property
    def end(self) -> int:
        """Return the number behind the segment; SYN and FIN take one each."""
        return (self.seq + self.length + (1 if self.flags & (SYN | FIN) else 0)) % _MODULUS


@dataclass
class _Side:
    """The state of one direction as an observer knows it."""

    next_seq: int | None = None  # behind the highest byte seen
    next_seq_time: int = 0
    acknowledgeable: int | None = None  # behind the highest byte seen without a hole before it
    last_ack: int | None = None
    last_ack_time: int = 0
    last_ack_number: int = 0  # frame
    duplicate_acks: int = 0
    ack_of_unseen: bool = False  # the next duplicate ACK counts from one again
    window: int | None = None
    shift: int = UNKNOWN
    window_from_syn: bool = False  # such a window is not scaled
    last_names: set[str] = field(default_factory=set)
    base: int | None = None


def analyse(segments: Segments, rows: Column) -> list[Event]:
    """Return the events of one flow, in file order; ``rows`` are all its segments, in file order."""
    sides = (_Side(), _Side())
    syn_time = first_rtt = None
    events: list[Event] = []
    names_of_columns = "number time_ns direction seq ack flags window payload_length options_cut length_known"
    columns = [getattr(segments, name) for name in names_of_columns.split()]
    values = [rows.tolist(), *(column[rows].tolist() for column in (*columns, segments.options.window_shift))]
    reused = bool(len(rows)) and int(segments.flow[rows[0]]) in segments.reused_flows
    for place, one in enumerate(map(_Segment._make, zip(*values, strict=True))):
        own, other = sides[one.direction], sides[1 - one.direction]
        names, detail = set(), ""
        opens = one.flags & (SYN | ACK)
        if reused and place == 0:
            names.add("reused_ports")
        if one.length_known:
            if opens == SYN | ACK and own.base not in (None, one.seq):
                names.add("reused_ports")
                own.base = one.seq
            elif opens == SYN and own.base == one.seq:
                own.next_seq = own.acknowledgeable  # a RST in between has perhaps moved it
            if own.base is None:
                own.base = one.seq if one.flags & SYN else (one.seq - 1) % _MODULUS
            if other.base is None and one.flags & ACK:
                other.base = (one.ack - 1) % _MODULUS
            detail = _judge(own, other, one, first_rtt, names)
            _remember(own, one, names)
        own.shift, other.shift = learn_shifts(own.shift, other.shift, one.flags, one.shift, one.cut)
        if one.flags & (SYN | ACK):
            own.window_from_syn = bool(one.flags & SYN)
        if opens == SYN:
            syn_time = one.time
        elif opens == ACK and syn_time is not None and not first_rtt:
            first_rtt = one.time - syn_time
        for name in LABELS:
            if name in names:
                events.append(Event(one.row, one.number, name, detail if name == "duplicate_ack" else ""))
    return events


def _judge(own: _Side, other: _Side, one: _Segment, first_rtt: int | None, names: set[str]) -> str:
    """Add to ``names`` what this segment is; return the detail of a duplicate ACK."""
    detail = ""
    special = one.flags & (SYN | FIN | RST)
    at_next = own.next_seq is not None and one.seq == own.next_seq
    repeats = one.length == 0 and at_next and one.ack == own.last_ack and not special
    if one.length == 1 and at_next and other.window == 0:
        names.add("zero_window_probe")
    else:
        if one.window == 0 and not special:
            names.add("zero_window")
        if own.next_seq is not None and ahead(one.seq, own.next_seq) > 0 and not one.flags & RST:
            names.add("lost_segment")
        if one.length <= 1 and _one_before_next(own, one) and not special:
            names.add("keep_alive")
        if repeats and one.window and one.window != own.window:
            names.add("window_update")
        if one.length and not special and _fills_window(other, one):
            names.add("window_full")
        if repeats and one.window == own.window:
            if one.window and "keep_alive" in other.last_names:
                names.add("keep_alive_ack")
            elif one.window == 0 and "zero_window_probe" in other.last_names:
                names.add("zero_window_probe_ack")
            elif one.window:
                own.duplicate_acks = 1 if own.ack_of_unseen else own.duplicate_acks + 1
                own.ack_of_unseen = False
                names.add("duplicate_ack")
                detail = f"{own.last_ack_number}#{own.duplicate_acks}"
    if one.ack != own.last_ack:
        own.last_ack_number = one.number
        own.duplicate_acks, own.ack_of_unseen = 0, False
    _judge_acknowledgement(other, one, names)
    if (one.length or one.flags & (SYN | FIN)) and "keep_alive" not in names:
        _judge_repetition(own, other, one, first_rtt, names)
    return detail


def _one_before_next(own: _Side, one: _Segment) -> bool:
    return own.next_seq is not None and one.seq == (own.next_seq - 1) % _MODULUS


def _fills_window(other: _Side, one: _Segment) -> bool:
    if other.shift == UNKNOWN or other.window is None:
        return False
    scale = 0 if other.window_from_syn or other.shift == UNUSED else other.shift
    return (one.seq + one.length - (other.last_ack or 0) - (other.window << scale)) % _MODULUS == 0


def _judge_acknowledgement(other: _Side, one: _Segment, names: set[str]) -> None:
    known = other.acknowledgeable
    if not one.flags & ACK or known is None or ahead(one.ack, known) <= 0:
        return
    # Say it once a hole: from then on everything seen of the other side counts as acknowledgeable.
    if ahead(known, other.next_seq or 0) < 0:
        other.acknowledgeable = other.next_seq
        names.add("ack_lost_segment")
    else:
        if other.duplicate_acks == 0 and not other.ack_of_unseen:
            names.add("ack_lost_segment")
        other.ack_of_unseen = True


def _judge_repetition(own: _Side, other: _Side, one: _Segment, rtt: int | None, names: set[str]) -> None:
    """Name the kind of data, SYN or FIN that does not continue where its side is."""
    if one.length and other.last_ack is not None and ahead(one.seq + one.length, other.last_ack) <= 0:
        names.add("spurious_retransmission")
        return
    if own.next_seq is None or ahead(one.seq, own.next_seq) >= 0:
        return
    if one.length > 1 and _one_before_next(own, one):
        return  # it begins with the byte of a window probe, and goes on
    asked = other.duplicate_acks >= 2 and not other.ack_of_unseen and other.last_ack == one.seq
    late = one.time - own.next_seq_time
    if asked and 0 <= one.time - other.last_ack_time < FAST_RETRANSMISSION_NS:
        names.add("fast_retransmission")
    elif 0 <= late < (rtt or OUT_OF_ORDER_NS) and own.next_seq != one.end:
        names.add("out_of_order")
    else:
        names.add("retransmission")


def _remember(own: _Side, one: _Segment, names: set[str]) -> None:
    if "zero_window_probe" not in names:
        if own.next_seq is None or ahead(one.end, own.next_seq) > 0:
            # A RST that refuses a connection has the number 0 (RFC 9293 section 3.10.7.1): not its side's own.
            own.next_seq = None if one.flags & RST and not one.end else one.end
            own.next_seq_time = one.time
        if own.acknowledgeable in (None, one.seq):
            own.acknowledgeable = own.next_seq
    own.window = one.window
    own.last_ack, own.last_ack_time = one.ack if one.flags & ACK else None, one.time
    own.last_names = names
