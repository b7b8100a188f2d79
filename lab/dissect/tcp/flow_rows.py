"""A flow as the rows of a ladder chart, one a segment, with its kind in words. Draws nothing.

    handshake   SYN, SYN-ACK and the ACK that completes them        push    data with PSH: "hand it over now"
    fin         a side has said all                                 data    data without PSH
    reset       RST: the flow is torn down                          ack     no data, only an acknowledgement
    forged      by somebody in the sender's name, whatever else it is

A segment that could be two of these is the first that fits in the order handshake, reset, fin, push, data, ack. None is
taken for forged by its looks: the caller knows, from the manifest of the recording.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import groupby

from lab.dissect.tcp.analysis import LABELS
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import ACK, FIN, PSH, RST, SYN, flag_names
from lab.dissect.text import ascii_text, counted

MOST_ROWS = 40  # segments on one ladder: about what fits on a page

PayloadText = Callable[[bytes, bool], str | None]


@dataclass(frozen=True)
class LadderRow:
    """One segment of a ladder."""

    frame: int
    time_s: float  # since the flow's first segment
    from_initiator: bool
    kind: str
    flags: str  # "PSH, ACK"
    relative_seq: int
    relative_ack: int | None  # None where ACK is not set
    length: int  # bytes of payload, as the headers say
    remarks: tuple[str, ...]  # what went wrong, as Wireshark names it, without its "TCP"
    text: str | None  # what ``payload_text`` made of the payload

    @property
    def label(self) -> str:
        ack = "" if self.relative_ack is None else f"   ack {self.relative_ack}"
        return f"{self.flags}   seq {self.relative_seq}{ack}   len {self.length}"


@dataclass(frozen=True)
class LeftOut:
    """``count`` segments that are not drawn, between two times (seconds since the flow's first segment)."""

    count: int
    from_s: float
    to_s: float

    @property
    def label(self) -> str:
        return f"… {counted(self.count, 'segment')} left out …"


def ladder_rows(
    flow: Flow,
    *,
    frames: Collection[int] | None = None,
    max_rows: int = MOST_ROWS,
    payload_text: PayloadText | None = None,
    forged: Collection[int] = (),
) -> list[LadderRow | LeftOut]:
    """Return the rows of a flow in file order, with a LeftOut wherever some are missing.

    ``frames``: numbers of the frames wanted; by default all, or of a flow with more than ``max_rows``
    segments its beginning (two thirds of them) and its end. ``payload_text(payload, from_initiator)`` returns
    a payload's text, or None. ``forged``: numbers of forged frames. ValueError for frames that the flow does not have.
    """
    rows = flow.rows.tolist()
    chosen = _chosen_places(flow, frames, max_rows)
    from_initiator = set(flow.from_initiator.rows.tolist())
    ladder: list[LadderRow | LeftOut] = []
    for is_chosen, places in groupby(range(len(rows)), key=chosen.__contains__):
        some = [rows[place] for place in places]
        if not is_chosen:
            ladder.append(LeftOut(len(some), flow.seconds(some[0]), flow.seconds(some[-1])))
            continue
        ladder += [_row(flow, row, row in from_initiator, payload_text, forged) for row in some]
    return ladder


def _chosen_places(flow: Flow, frames: Collection[int] | None, max_rows: int) -> set[int]:
    """Return the places among the flow's rows that are shown."""
    numbers = flow.segments.number[flow.rows].tolist()
    if frames is not None:
        wanted = set(frames)
        if missing := wanted - set(numbers):
            raise ValueError(f"flow {flow.number} has no frame {', '.join(map(str, sorted(missing)))}")
        return {place for place, number in enumerate(numbers) if number in wanted}
    if len(numbers) > max_rows:
        head = -(-2 * max_rows // 3)
        return {*range(head), *range(len(numbers) - (max_rows - head), len(numbers))}
    return set(range(len(numbers)))


def _row(
    flow: Flow, row: int, from_initiator: bool, payload_text: PayloadText | None, forged: Collection[int]
) -> LadderRow:
    segments, shake = flow.segments, flow.handshake
    number, flags = int(segments.number[row]), int(segments.flags[row])
    length, payload = int(segments.payload_length[row]), bytes(segments.payload(row))
    opening = shake is not None and number in (shake.syn, shake.syn_ack, shake.ack)
    return LadderRow(
        frame=number,
        time_s=flow.seconds(row),
        from_initiator=from_initiator,
        kind="forged" if number in forged else _kind(flags, length, opening),
        flags=flag_names(flags),
        relative_seq=int(segments.relative_seq[row]),
        relative_ack=int(segments.relative_ack[row]) if flags & ACK else None,
        length=length,
        remarks=tuple(LABELS[event.name].removeprefix("TCP ") for event in flow.events_by_row.get(row, ())),
        text=payload_text(payload, from_initiator) if payload_text and payload else None,
    )


def _kind(flags: int, length: int, opening: bool) -> str:
    if flags & SYN or opening:
        return "handshake"
    if flags & RST:
        return "reset"
    if flags & FIN:
        return "fin"
    if length:
        return "push" if flags & PSH else "data"
    return "ack"


def plain_text(payload: bytes, from_initiator: bool = True) -> str:
    """Return a payload as Wireshark's bytes pane shows it, whoever sent it; for ``payload_text``."""
    return ascii_text(payload)


def time_unit(duration_s: float) -> tuple[float, str]:
    """Return the unit in which a duration is best read: how many a second has, and s, ms or µs."""
    if duration_s >= 2:
        return 1.0, "s"
    return (1e3, "ms") if duration_s >= 2e-3 else (1e6, "µs")
