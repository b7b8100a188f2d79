"""A flow as the ladder tells it: one row a segment, with its kind in words. Draws nothing.

    handshake   SYN, SYN-ACK and the ACK that completes them        push    data with PSH: "hand it over now"
    fin         a side has said all                                 data    data without PSH
    reset       RST: the flow is torn down                          ack     no data, only an acknowledgement

A segment that could be two of these is the first that fits in the order handshake, reset, fin, push, data, ack.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from lab.dissect.tcp.analysis import LABELS
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import ACK, FIN, PSH, RST, SYN, flag_names
from lab.dissect.text import ascii_text, counted

MOST_ROWS = 40  # segments on one ladder: about what fits on a page; a longer one is read by nobody

PayloadText = Callable[[bytes, bool], str | None]


@dataclass(frozen=True)
class Row:
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
    text: str | None  # what PAYLOAD_TEXT made of the payload

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
) -> list[Row | LeftOut]:
    """The rows of a flow in file order, with a LeftOut wherever some are missing.

    ``frames``: numbers of the frames wanted; by default all, or of a flow with more than ``max_rows`` segments its
    beginning (two thirds of them) and its end. ``payload_text(payload, from_initiator)`` gives a payload's text, or
    None. ValueError for frames that the flow does not have.
    """
    rows = flow.rows.tolist()
    segments = flow.segments
    if frames is not None:
        wanted = set(frames)
        missing = wanted - set(segments.number[flow.rows].tolist())
        if missing:
            raise ValueError(f"flow {flow.number} has no frame {', '.join(map(str, sorted(missing)))}")
        chosen = {place for place, row in enumerate(rows) if int(segments.number[row]) in wanted}
    elif len(rows) > max_rows:
        head = -(-2 * max_rows // 3)
        chosen = {*range(head), *range(len(rows) - (max_rows - head), len(rows))}
    else:
        chosen = set(range(len(rows)))
    remarks: dict[int, list[str]] = {}
    for event in flow.events:
        remarks.setdefault(event.row, []).append(LABELS[event.name].removeprefix("TCP "))
    shake = flow.handshake
    opening = {shake.syn, shake.syn_ack, shake.ack} if shake else set()
    from_initiator = set(flow.from_initiator.rows.tolist())
    told: list[Row | LeftOut] = []
    skipped: list[int] = []

    def note_skipped() -> None:
        if skipped:
            times = [(int(segments.time_ns[row]) - flow.start_ns) / 1e9 for row in (skipped[0], skipped[-1])]
            told.append(LeftOut(len(skipped), *times))
            skipped.clear()

    for place, row in enumerate(rows):
        if place not in chosen:
            skipped.append(row)
            continue
        note_skipped()
        ours = row in from_initiator
        flags, payload = int(segments.flags[row]), bytes(segments.payload(row))
        told.append(
            Row(
                frame=int(segments.number[row]),
                time_s=(int(segments.time_ns[row]) - flow.start_ns) / 1e9,
                from_initiator=ours,
                kind=_kind(flags, int(segments.payload_length[row]), int(segments.number[row]) in opening),
                flags=flag_names(flags),
                relative_seq=int(segments.relative_seq[row]),
                relative_ack=int(segments.relative_ack[row]) if flags & ACK else None,
                length=int(segments.payload_length[row]),
                remarks=tuple(remarks.get(row, ())),
                text=payload_text(payload, ours) if payload_text and payload else None,
            )
        )
    note_skipped()
    return told


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
    """A payload as Wireshark's bytes pane shows it: printable ASCII, and a dot for any other byte. For
    ``payload_text``; whose payload it is makes no difference here.
    """
    return ascii_text(payload)


def time_unit(duration_s: float) -> tuple[float, str]:
    """(units a second, their name) in which a duration is best read: s, ms or µs."""
    if duration_s >= 2:
        return 1.0, "s"
    return (1e3, "ms") if duration_s >= 2e-3 else (1e6, "µs")
