"""The ladder, or sequence diagram: the segments of a flow as arrows between its two ends, time running down.

Arrows are level, not slanting: a capture is made at one point, so it knows one time for each segment, and not when the
segment left or arrived elsewhere. Each kind of segment has its own line, weight and mark at the sender's end, so that
the handshake, PSH and FIN differ on grey paper too. Numbers are relative, as Wireshark shows them.

Evenly spaced, every segment has a row of its own, with its numbers on the arrow. True to time, an arrow stands at its
moment; since the segments of a burst then cover each other, their numbers stand in a list beside them, and a thin line
leads to each.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lab.charts.figure import blank_axes, fit_text, spread, text_width, write
from lab.charts.inks import BLACK, BLUE, BODY, GREEN, GREY, PURPLE, SMALL, VERMILLION, LineStyle, Style
from lab.dissect.tcp.flow_rows import MOST_ROWS, LadderRow, LeftOut, PayloadText, ladder_rows, time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.text import counted


class SegmentLook(NamedTuple):
    """How a kind of segment looks; ``marker`` and ``is_hollow`` are about the sender's end."""

    meaning: str
    colour: str
    line: LineStyle
    width: float  # points
    marker: str
    is_hollow: bool

    def draw(self, ax: Axes, start: float, end: float, y: float, name: str | None = None) -> None:
        face = "white" if self.is_hollow else self.colour
        ax.plot([start, end], [y, y], color=self.colour, linestyle=self.line, linewidth=self.width, gid=name)
        ax.plot([start], [y], marker=self.marker, color=self.colour, markerfacecolor=face, markersize=7)


MARKS = {
    "handshake": SegmentLook("handshake", BLUE, (0, (5, 2)), 1.8, "o", True),
    "push": SegmentLook("data, PSH", VERMILLION, "-", 2.6, "s", False),
    "data": SegmentLook("data", VERMILLION, "-", 1.4, "s", True),
    "ack": SegmentLook("ACK only", GREY, "-", 0.8, "|", False),
    "fin": SegmentLook("FIN", GREEN, (0, (6, 2, 1, 2)), 2.2, "D", False),
    "reset": SegmentLook("RST", PURPLE, (0, (1, 1)), 2.6, "X", False),
    "forged": SegmentLook("forged", BLACK, (0, (4, 1, 1, 1, 1, 1)), 3.0, "*", False),
}
# All places are in inches, from the top left.
TOP, BOTTOM = 0.62, 0.45  # the room for the ends' names, and for the key
ROW, TEXT_ROW, CUT_ROW, LIST_ROW = 0.36, 0.19, 0.34, 0.21
EVEN_LINES = (1.55, 8.0)  # the two lifelines, evenly spaced
TRUE_LINES, LIST = (0.9, 3.1), 3.65  # true to time, and where the list begins


def draw_ladder(
    flow: Flow,
    *,
    true_to_time: bool = False,
    frames: Collection[int] | None = None,
    max_rows: int = MOST_ROWS,
    payload_text: PayloadText | None = None,
    forged: Collection[int] = (),
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the sequence diagram of a flow, its initiator on the left.

    ``true_to_time``: arrows stand at their moments, not one a row. ``frames``: draw only the frames of these numbers.
    ``max_rows``: a longer flow is cut in its middle, and the cut is marked. ``payload_text(payload, from_initiator)``
    returns a payload's text, or None; ``plain_text`` is one. ``forged``: numbers of the frames that were forged, by
    the manifest; nothing is guessed. ``title``: "" for none.
    """
    rows = ladder_rows(flow, frames=frames, max_rows=max_rows, payload_text=payload_text, forged=forged)
    draw = _draw_true_to_time if true_to_time else _draw_evenly
    if title is None:
        segments = counted(len(flow.rows), "segment")
        title = f"Flow {flow.number}: {segments} between {flow.initiator} and {flow.responder}"
    return draw(flow, rows, title, ax)


def _draw_evenly(flow: Flow, rows: Sequence[LadderRow | LeftOut], title: str, ax: Axes | None) -> Axes:
    left, right = EVEN_LINES
    top = _top(flow, EVEN_LINES)
    places, bottom = [], top
    for row in rows:
        bottom += ROW if isinstance(row, LadderRow) else CUT_ROW
        places.append(bottom)
        if isinstance(row, LadderRow) and row.text is not None:
            bottom += TEXT_ROW
    bottom += 0.25
    remarks = [text_width(_remarks(row), SMALL) for row in rows if isinstance(row, LadderRow)]
    ax = blank_axes(ax, title, right + 0.3 + max(remarks, default=0.0), bottom + BOTTOM)
    per_second, unit = time_unit(flow.duration_s)
    write(ax, 0.5, top - 0.2, "frame", ha="right", va="bottom", color=GREY)
    write(ax, left - 0.2, top - 0.2, f"time, {unit}", ha="right", va="bottom", color=GREY)
    _draw_ends(ax, flow, EVEN_LINES, top, bottom)
    for row, y in zip(rows, places, strict=True):
        if isinstance(row, LeftOut):
            _draw_cut(ax, EVEN_LINES, y - 0.1)
            write(ax, (left + right) / 2, y - 0.1, row.label, fontsize=BODY, style="italic")
            continue
        _draw_arrow(ax, row, EVEN_LINES, y)
        write(ax, 0.5, y, str(row.frame), ha="right")
        write(ax, left - 0.2, y, f"{row.time_s * per_second:.3f}", ha="right")
        write(ax, (left + right) / 2, y - 0.04, row.label, va="bottom", fontsize=BODY)
        if row.text is not None:
            text = fit_text(row.text, BODY, right - left - 0.4, family="monospace")
            write(ax, (left + right) / 2, y + 0.05, text, va="top", fontsize=BODY, family="monospace")
        if row.remarks:
            write(ax, right + 0.2, y, _remarks(row), ha="left", weight="bold")
    _draw_key(ax, rows, left, bottom + 0.25)
    return ax


def _draw_true_to_time(flow: Flow, rows: Sequence[LadderRow | LeftOut], title: str, ax: Axes | None) -> Axes:
    left, right = TRUE_LINES
    top = _top(flow, TRUE_LINES)
    per_second, unit = time_unit(flow.duration_s)
    labels = [row.label if isinstance(row, LeftOut) else _line(row, per_second, unit) for row in rows]
    height = max(3.0, LIST_ROW * len(rows))
    times = [row.time_s if isinstance(row, LadderRow) else (row.from_s + row.to_s) / 2 for row in rows]
    first, last = min(times, default=0.0), max(times, default=0.0)
    scale = height / (last - first) if last > first else 0.0
    bottom = top + height + 0.45

    def place(time_s: float) -> float:
        return top + 0.2 + (time_s - first) * scale

    widest = max((text_width(label, SMALL) for label in labels), default=0.0)
    ax = blank_axes(ax, title, LIST + 0.2 + widest, bottom + BOTTOM)
    _draw_ends(ax, flow, TRUE_LINES, top, bottom)
    write(ax, left - 0.2, top - 0.2, f"time, {unit}", ha="right", va="bottom", color=GREY)
    for tick in MaxNLocator(8).tick_values(first * per_second, last * per_second):
        y = place(float(tick) / per_second)
        if top + 0.1 <= y <= bottom:
            ax.plot([left - 0.1, left], [y, y], color=GREY, linewidth=0.8)
            write(ax, left - 0.15, y, f"{tick:g}", ha="right")
    moments = [place(time) for time in times]
    label_places = spread(moments, LIST_ROW, top + 0.1, bottom - 0.1)
    for row, label, moment, y in zip(rows, labels, moments, label_places, strict=True):
        if isinstance(row, LeftOut):
            _draw_cut(ax, TRUE_LINES, moment)
        else:
            _draw_arrow(ax, row, TRUE_LINES, moment)
        x = [right, right + 0.1, LIST - 0.12, LIST - 0.04]
        ax.plot(x, [moment, moment, y, y], color=GREY, linewidth=0.5)
        write(ax, LIST, y, label, ha="left", style="italic" if isinstance(row, LeftOut) else "normal")
    _draw_key(ax, rows, left, bottom + 0.25)
    return ax


def _top(flow: Flow, lifelines: tuple[float, float]) -> float:
    """Return where the lifelines begin: lower if the names of both ends do not fit beside each other."""
    names = sum(text_width(str(end), BODY, weight="bold") for end in (flow.initiator, flow.responder))
    return TOP + 0.36 if names > lifelines[1] - lifelines[0] - 0.2 else TOP


def _draw_ends(ax: Axes, flow: Flow, lifelines: tuple[float, float], top: float, bottom: float) -> None:
    """Draw both lifelines with their names; the initiator's is higher by what ``_top`` has added."""
    left, right = lifelines
    align = "right" if text_width(str(flow.responder), BODY, weight="bold") < right else "left"
    ax.vlines(lifelines, top - 0.05, bottom, color=BLACK, linewidth=1.2)
    look: Style = {"va": "bottom", "fontsize": BODY, "weight": "bold"}
    write(ax, left, TOP - 0.1, f"initiator\n{flow.initiator}", ha="left", **look)
    write(ax, right, top - 0.1, f"responder\n{flow.responder}", ha=align, **look)


def _draw_arrow(ax: Axes, row: LadderRow, lifelines: tuple[float, float], y: float) -> None:
    left, right = lifelines
    start, tip, head = (left, right - 0.06, ">") if row.from_initiator else (right, left + 0.06, "<")
    mark = MARKS[row.kind]
    mark.draw(ax, start, tip, y, f"frame {row.frame}: {row.kind}")
    ax.plot([tip], [y], marker=head, color=mark.colour, markersize=7)


def _draw_cut(ax: Axes, lifelines: tuple[float, float], y: float) -> None:
    ax.vlines(lifelines, y - 0.1, y + 0.1, color="white", linewidth=4, zorder=3)
    ax.vlines(lifelines, y - 0.1, y + 0.1, color=BLACK, linewidth=1.6, linestyle=(0, (1, 2)), zorder=4)


def _draw_key(ax: Axes, rows: Sequence[LadderRow | LeftOut], x: float, y: float) -> None:
    """Draw one row of samples with their names."""
    present = {row.kind for row in rows if isinstance(row, LadderRow)}
    for mark in (mark for kind, mark in MARKS.items() if kind in present):
        mark.draw(ax, x, x + 0.35, y)
        write(ax, x + 0.42, y, mark.meaning, ha="left")
        x += 0.42 + text_width(mark.meaning, SMALL) + 0.3


def _remarks(row: LadderRow) -> str:
    return ", ".join(row.remarks)


def _line(row: LadderRow, per_second: float, unit: str) -> str:
    way = "→" if row.from_initiator else "←"
    text = f"{row.frame}:  {row.time_s * per_second:.3f} {unit}   {way}  {row.label}"
    if row.text is not None:
        text += "   " + fit_text(row.text, SMALL, 2.5)
    return text + (f"   [{_remarks(row)}]" if row.remarks else "")


def describe_ladder(
    flow: Flow,
    *,
    frames: Collection[int] | None = None,
    max_rows: int = MOST_ROWS,
    payload_text: PayloadText | None = None,
    forged: Collection[int] = (),
) -> str:
    """Return the text twin of ``draw_ladder``: a sentence on the flow, a line for each segment, and how it ended."""
    per_second, unit = time_unit(flow.duration_s)
    lines = [
        f"Flow {flow.number}: {counted(len(flow.rows), 'segment')} between {flow.initiator} (initiator) and "
        f"{flow.responder} (responder), {flow.duration_s * per_second:.3f} {unit} from the first to the last."
    ]
    for row in ladder_rows(flow, frames=frames, max_rows=max_rows, payload_text=payload_text, forged=forged):
        if isinstance(row, LeftOut):
            lines.append(f"({row.label})")
            continue
        way = "initiator to responder" if row.from_initiator else "responder to initiator"
        numbers = ", ".join(row.label.split("   "))
        text = "" if row.text is None else f", text {' '.join(row.text.split())!r}"
        remarks = f"; {_remarks(row)}" if row.remarks else ""
        time = f"{row.time_s * per_second:.3f} {unit}"
        meaning = MARKS[row.kind].meaning
        lines.append(f"Frame {row.frame}, {time}, {way}: {numbers} ({meaning}){text}{remarks}")
    return "\n".join([*lines, f"In the end: {flow.closing}."])
