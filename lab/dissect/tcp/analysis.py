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

from dataclasses import dataclass

from lab.dissect.tcp.flow_numbers import ACK, SYN, ahead
from lab.dissect.tcp.options import LARGEST_SHIFT
from lab.dissect.tcp.window_scale import UNKNOWN, UNUSED

FIN, RST = 0x001, 0x004
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


class _Side:
    """What an observer knows of one direction."""

    def __init__(self):
        self.next_seq: int | None = None  # behind the highest byte seen
        self.next_seq_time = 0
        self.acknowledgeable: int | None = None  # behind the highest byte seen without a hole before it
        self.last_ack: int | None = None
        self.last_ack_time = 0
        self.last_ack_number = 0  # frame
        self.duplicate_acks = 0
        self.ack_of_unseen = False  # the next duplicate ACK counts from one again
        self.window: int | None = None
        self.shift = UNKNOWN
        self.window_from_syn = False  # such a window is not scaled
        self.last_names: set[str] = set()
        self.base: int | None = None


def analyse(segments, rows) -> list[Event]:
    """The events of one flow, in file order; ``rows`` are the indices (in file order) of all its segments."""
    sides = (_Side(), _Side())
    syn_time = first_rtt = None
    events = []
    columns = (
        rows.tolist(),
        *(
            getattr(segments, name)[rows].tolist()
            for name in ("number", "time_ns", "direction", "seq", "ack", "flags", "window", "payload_length")
        ),
        segments.window_shift[rows].tolist(),
        segments.options_cut[rows].tolist(),
        segments.length_known[rows].tolist(),
    )
    reused = bool(len(rows)) and int(segments.flow[rows[0]]) in segments.reused_flows
    for place, segment in enumerate(zip(*columns, strict=True)):
        row, number, time, direction, seq, ack, flags, window, length, shift, cut, length_known = segment
        own, other = sides[direction], sides[1 - direction]
        names, detail = set(), ""
        if reused and place == 0:
            names.add("reused_ports")
        if length_known:
            if flags & (SYN | ACK) == SYN | ACK and own.base not in (None, seq):
                names.add("reused_ports")
                own.base = seq
            elif flags & (SYN | ACK) == SYN and own.base == seq:
                own.next_seq = own.acknowledgeable  # a RST in between has perhaps moved it
            _learn_bases(own, other, seq, ack, flags)
            detail = _judge(own, other, number, time, seq, ack, flags, window, length, first_rtt, names)
            _remember(own, time, seq, ack, flags, window, length, names)
        _learn_window(own, other, flags, shift, cut)
        if flags & (SYN | ACK) == SYN:
            syn_time = time
        elif flags & (SYN | ACK) == ACK and syn_time is not None and not first_rtt:
            first_rtt = time - syn_time
        events += [
            Event(row, number, n, detail if n == "duplicate_ack" else "") for n in LABELS if n in names
        ]
    return events


def _learn_bases(own: _Side, other: _Side, seq: int, ack: int, flags: int) -> None:
    if own.base is None:
        own.base = seq if flags & SYN else (seq - 1) % _MODULUS
    if other.base is None and flags & ACK:
        other.base = (ack - 1) % _MODULUS


def _learn_window(own: _Side, other: _Side, flags: int, announced: int, cut: bool) -> None:
    """Keep track of the window shifts as window_shifts() does, and of windows that stand in a SYN."""
    before = other.shift
    if announced >= 0:
        own.shift = min(announced, LARGEST_SHIFT)
    if flags & SYN:
        own.window_from_syn = True
        if own.shift == UNKNOWN and not cut:
            own.shift = other.shift = UNUSED
        elif flags & ACK and before == UNUSED and not cut:
            own.shift = UNUSED
    elif flags & ACK:
        own.window_from_syn = False


def _judge(own, other, number, time, seq, ack, flags, window, length, first_rtt, names) -> str:
    """Add to NAMES what this segment is; gives the detail of a duplicate ACK."""
    detail = ""
    special = flags & (SYN | FIN | RST)
    at_next = own.next_seq is not None and seq == own.next_seq
    repeats = length == 0 and at_next and ack == own.last_ack and not special
    if length == 1 and at_next and other.window == 0:
        names.add("zero_window_probe")
    else:
        if window == 0 and not special:
            names.add("zero_window")
        if own.next_seq is not None and ahead(seq, own.next_seq) > 0 and not flags & RST:
            names.add("lost_segment")
        if length <= 1 and own.next_seq is not None and seq == (own.next_seq - 1) % _MODULUS and not special:
            names.add("keep_alive")
        if repeats and window and window != own.window:
            names.add("window_update")
        if length and not special and other.shift != UNKNOWN and other.window is not None:
            scale = 0 if other.window_from_syn or other.shift == UNUSED else other.shift
            if (seq + length - (other.last_ack or 0) - (other.window << scale)) % _MODULUS == 0:
                names.add("window_full")
        if repeats and window == own.window:
            if window and "keep_alive" in other.last_names:
                names.add("keep_alive_ack")
            elif window == 0 and "zero_window_probe" in other.last_names:
                names.add("zero_window_probe_ack")
            elif window:
                own.duplicate_acks = 1 if own.ack_of_unseen else own.duplicate_acks + 1
                own.ack_of_unseen = False
                names.add("duplicate_ack")
                detail = f"{own.last_ack_number}#{own.duplicate_acks}"
    if ack != own.last_ack:
        own.last_ack_number = number
        own.duplicate_acks, own.ack_of_unseen = 0, False
    _judge_acknowledgement(other, ack, flags, names)
    if (length or flags & (SYN | FIN)) and "keep_alive" not in names:
        _judge_repetition(own, other, time, seq, flags, length, first_rtt, names)
    return detail


def _judge_acknowledgement(other: _Side, ack: int, flags: int, names: set[str]) -> None:
    if not flags & ACK or other.acknowledgeable is None or ahead(ack, other.acknowledgeable) <= 0:
        return
    # Say it once a hole: from then on everything seen of the other side counts as acknowledgeable.
    if ahead(other.acknowledgeable, other.next_seq or 0) < 0:
        other.acknowledgeable = other.next_seq
        names.add("ack_lost_segment")
    else:
        if other.duplicate_acks == 0 and not other.ack_of_unseen:
            names.add("ack_lost_segment")
        other.ack_of_unseen = True


def _judge_repetition(own, other, time, seq, flags, length, first_rtt, names) -> None:
    """Data, a SYN or a FIN that does not go on where its side stands: which kind is it?"""
    repeated = own.next_seq is not None and ahead(seq, own.next_seq) < 0
    if length > 1 and own.next_seq is not None and seq == (own.next_seq - 1) % _MODULUS:
        repeated = False  # it begins with the byte of a window probe, and goes on
    if length and other.last_ack is not None and ahead(seq + length, other.last_ack) <= 0:
        names.add("spurious_retransmission")
        return
    if not repeated:
        return
    since_ack = time - other.last_ack_time
    asked = other.duplicate_acks >= 2 and not other.ack_of_unseen and other.last_ack == seq
    if asked and 0 <= since_ack < FAST_RETRANSMISSION_NS:
        names.add("fast_retransmission")
        return
    end = (seq + length + (flags & (SYN | FIN) != 0)) % _MODULUS
    if 0 <= time - own.next_seq_time < (first_rtt or OUT_OF_ORDER_NS) and own.next_seq != end:
        names.add("out_of_order")
        return
    names.add("retransmission")


def _remember(own: _Side, time, seq, ack, flags, window, length, names) -> None:
    behind = (seq + length + (flags & (SYN | FIN) != 0)) % _MODULUS
    probe = "zero_window_probe" in names
    advance = None if own.next_seq is None else ahead(behind, own.next_seq)
    if not probe:
        if advance is None or advance > 0:
            # A RST that refuses a connection has the number 0 (RFC 9293 section 3.10.7.1): not its side's own.
            own.next_seq, own.next_seq_time = None if flags & RST and not behind else behind, time
        if own.acknowledgeable in (None, seq):
            own.acknowledgeable = own.next_seq
    own.window = window
    own.last_ack, own.last_ack_time = ack if flags & ACK else None, time
    own.last_names = names
