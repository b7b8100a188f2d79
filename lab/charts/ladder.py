"""The ladder, or sequence diagram: the segments of a flow as arrows between its two ends, time running down.

Arrows are level, not slanting: a capture is made at one point, so it knows one time a segment and not when the segment
left or arrived elsewhere. Each kind of segment has its own line, weight and mark at the sender's end, so that the
handshake, PSH and FIN are told apart on grey paper too. Numbers are relative, as Wireshark shows them.

Evenly spaced, every segment has a row of its own, and what it says stands on the arrow. True to time, an arrow stands
at its moment; segments of one burst then lie upon each other, so what they say stands in a list beside them, and a thin
line leads to each.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lab.charts.figure import (
    BLACK,
    BLUE,
    BODY,
    GREEN,
    GREY,
    PURPLE,
    SMALL,
    TITLE,
    VERMILLION,
    counted,
    draw_key,
    fit_text,
    new_axes,
    text_width,
)
from lab.dissect.tcp.flow_rows import MOST_ROWS, LeftOut, PayloadText, Row, ladder_rows, time_unit
from lab.dissect.tcp.flows import Flow


class Mark(NamedTuple):
    """How a kind of segment looks; HOLLOW is about the mark at the sender's end."""

    meaning: str
    colour: str
    line: str | tuple
    width: float  # points
    marker: str
    hollow: bool


MARKS = {
    "handshake": Mark("handshake", BLUE, (0, (5, 2)), 1.8, "o", True),
    "push": Mark("data, PSH", VERMILLION, "-", 2.6, "s", False),
    "data": Mark("data", VERMILLION, "-", 1.4, "s", True),
    "ack": Mark("ACK only", GREY, "-", 0.8, "|", False),
    "fin": Mark("FIN", GREEN, (0, (6, 2, 1, 2)), 2.2, "D", False),
    "reset": Mark("RST", PURPLE, (0, (1, 1)), 2.6, "X", False),
}
# An Axes of a ladder counts in inches, from its top left.
TOP = 0.62
ROW, TEXT_ROW, NARROW_ROW = 0.36, 0.19, 0.21
LEFT, RIGHT = 1.55, 8.0  # the two lifelines, evenly spaced
TRUE_LEFT, TRUE_RIGHT, LIST = 0.9, 3.1, 3.65  # true to time, and where the list begins


def draw_ladder(
    flow: Flow,
    *,
    true_to_time: bool = False,
    frames: Collection[int] | None = None,
    max_rows: int = MOST_ROWS,
    payload_text: PayloadText | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The sequence diagram of a flow, its initiator on the left.

    ``true_to_time``: arrows stand at their moments, not one a row. ``frames``: draw just the frames of these numbers.
    ``max_rows``: a longer flow is cut in its middle, and the cut is marked. ``payload_text(payload, from_initiator)``
    gives a payload's text, or None; ``plain_text`` is one. ``title``: "" for none.
    """
    rows = ladder_rows(flow, frames=frames, max_rows=max_rows, payload_text=payload_text)
    draw = _draw_true_to_time if true_to_time else _draw_evenly
    if title is None:
        title = f"Flow {flow.number}: {counted(len(flow.rows), 'segment')} between {flow.initiator} and {flow.responder}"
    return draw(flow, rows, title, ax)


def _draw_evenly(flow: Flow, rows: Sequence[Row | LeftOut], title: str, ax: Axes | None) -> Axes:
    lift = _lift(flow, LEFT, RIGHT)
    top = TOP + lift
    places, y = [], top
    for row in rows:
        y += ROW if isinstance(row, Row) else 0.34
        places.append(y)
        if isinstance(row, Row) and row.text is not None:
            y += TEXT_ROW
    bottom = y + 0.25
    remarks_wide = max(
        (text_width(_remarks(row), SMALL) for row in rows if isinstance(row, Row)), default=0.0
    )
    width = max(RIGHT + 0.3 + remarks_wide, text_width(title, TITLE))
    ax = _blank(ax, width, bottom + 0.45, title)
    per_second, unit = time_unit(flow.duration_s)
    ax.text(0.5, top - 0.2, "frame", ha="right", va="bottom", fontsize=SMALL, color=GREY)
    ax.text(LEFT - 0.2, top - 0.2, f"time, {unit}", ha="right", va="bottom", fontsize=SMALL, color=GREY)
    _ends(ax, flow, (LEFT, RIGHT), top, bottom, lift)
    for row, y in zip(rows, places, strict=True):
        if isinstance(row, LeftOut):
            _cut(ax, (LEFT, RIGHT), y - 0.1)
            ax.text(
                (LEFT + RIGHT) / 2,
                y - 0.1,
                row.label,
                ha="center",
                va="center",
                fontsize=BODY,
                style="italic",
            )
            continue
        _arrow(ax, row, LEFT, RIGHT, y)
        ax.text(0.5, y, str(row.frame), ha="right", va="center", fontsize=SMALL)
        ax.text(LEFT - 0.2, y, f"{row.time_s * per_second:.3f}", ha="right", va="center", fontsize=SMALL)
        ax.text((LEFT + RIGHT) / 2, y - 0.04, row.label, ha="center", va="bottom", fontsize=BODY)
        if row.text is not None:
            said = fit_text(row.text, BODY, RIGHT - LEFT - 0.4, family="monospace")
            # A dollar sign from the network is a dollar sign, and begins no formula.
            below = {"ha": "center", "va": "top", "family": "monospace", "parse_math": False}
            ax.text((LEFT + RIGHT) / 2, y + 0.05, said, fontsize=BODY, **below)
        if row.remarks:
            ax.text(RIGHT + 0.2, y, _remarks(row), ha="left", va="center", fontsize=SMALL, weight="bold")
    _marks_key(ax, rows, LEFT, bottom + 0.25, width)
    return ax


def _draw_true_to_time(flow: Flow, rows: Sequence[Row | LeftOut], title: str, ax: Axes | None) -> Axes:
    lift = _lift(flow, TRUE_LEFT, TRUE_RIGHT)
    top = TOP + lift
    per_second, unit = time_unit(flow.duration_s)
    labels = [row.label if isinstance(row, LeftOut) else _line(row, per_second, unit) for row in rows]
    height = max(3.0, NARROW_ROW * len(rows))
    times = [row.time_s if isinstance(row, Row) else (row.from_s + row.to_s) / 2 for row in rows]
    first, last = min(times, default=0.0), max(times, default=0.0)
    scale = height / (last - first) if last > first else 0.0
    moments = [top + 0.2 + (time - first) * scale for time in times]
    bottom = top + 0.2 + height + 0.25
    width = max(
        LIST + 0.2 + max((text_width(label, SMALL) for label in labels), default=0.0),
        text_width(title, TITLE),
    )
    ax = _blank(ax, width, bottom + 0.45, title)
    _ends(ax, flow, (TRUE_LEFT, TRUE_RIGHT), top, bottom, lift)
    ax.text(TRUE_LEFT - 0.2, top - 0.2, f"time, {unit}", ha="right", va="bottom", fontsize=SMALL, color=GREY)
    for tick in MaxNLocator(8).tick_values(first * per_second, last * per_second):
        y = top + 0.2 + (tick / per_second - first) * scale
        if top + 0.1 <= y <= bottom:
            ax.plot([TRUE_LEFT - 0.1, TRUE_LEFT], [y, y], color=GREY, linewidth=0.8)
            ax.text(TRUE_LEFT - 0.15, y, f"{tick:g}", ha="right", va="center", fontsize=SMALL)
    for row, label, moment, y in zip(
        rows, labels, moments, _spread(moments, NARROW_ROW, top + 0.1, bottom - 0.1), strict=True
    ):
        cut = isinstance(row, LeftOut)
        if cut:
            _cut(ax, (TRUE_LEFT, TRUE_RIGHT), moment)
        else:
            _arrow(ax, row, TRUE_LEFT, TRUE_RIGHT, moment)
        ax.plot(
            [TRUE_RIGHT, TRUE_RIGHT + 0.1, LIST - 0.12, LIST - 0.04],
            [moment, moment, y, y],
            color=GREY,
            linewidth=0.5,
        )
        style = "italic" if cut else "normal"
        ax.text(LIST, y, label, ha="left", va="center", fontsize=SMALL, style=style, parse_math=False)
    _marks_key(ax, rows, TRUE_LEFT, bottom + 0.25, width)
    return ax


def _blank(ax: Axes | None, width: float, height: float, title: str) -> Axes:
    """An Axes without any axis that counts in inches, from its top left."""
    if ax is None:
        ax = new_axes(width + 0.1, height + (0.4 if title else 0.1))
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    ax.set_title(title, fontsize=TITLE, loc="left")
    return ax


def _lift(flow: Flow, left: float, right: float) -> float:
    """How much higher the initiator's name stands, inches: names too long for one line stand one above the other."""
    names = text_width(str(flow.initiator), BODY, weight="bold") + text_width(
        str(flow.responder), BODY, weight="bold"
    )
    return 0.36 if names > right - left - 0.2 else 0.0


def _ends(
    ax: Axes, flow: Flow, lifelines: tuple[float, float], top: float, bottom: float, lift: float
) -> None:
    left, right = lifelines
    align = "right" if text_width(str(flow.responder), BODY, weight="bold") < right else "left"
    for x, end, who, ha, up in (
        (left, flow.initiator, "initiator", "left", lift),
        (right, flow.responder, "responder", align, 0.0),
    ):
        ax.plot([x, x], [top - 0.05, bottom], color=BLACK, linewidth=1.2)
        ax.text(x, top - 0.1 - up, f"{who}\n{end}", ha=ha, va="bottom", fontsize=BODY, weight="bold")


def _arrow(ax: Axes, row: Row, left: float, right: float, y: float) -> None:
    mark = MARKS[row.kind]
    start, end, head = (left, right, ">") if row.from_initiator else (right, left, "<")
    inside = 0.06 if row.from_initiator else -0.06
    name = f"frame {row.frame}: {row.kind}"
    ax.plot(
        [start, end - inside], [y, y], color=mark.colour, linestyle=mark.line, linewidth=mark.width, gid=name
    )
    ax.plot([end - inside], [y], marker=head, color=mark.colour, markersize=7)
    face = "white" if mark.hollow else mark.colour
    ax.plot([start], [y], marker=mark.marker, color=mark.colour, markerfacecolor=face, markersize=7)


def _cut(ax: Axes, lifelines: tuple[float, float], y: float) -> None:
    for x in lifelines:
        ax.plot([x, x], [y - 0.1, y + 0.1], color="white", linewidth=4, zorder=3)
        ax.plot([x, x], [y - 0.1, y + 0.1], color=BLACK, linewidth=1.6, linestyle=(0, (1, 2)), zorder=4)


def _marks_key(ax: Axes, rows: Sequence[Row | LeftOut], x: float, y: float, width: float) -> None:
    present = {row.kind for row in rows if isinstance(row, Row)}
    draw_key(ax, [mark for kind, mark in MARKS.items() if kind in present], x, y)


def _remarks(row: Row) -> str:
    return ", ".join(row.remarks)


def _line(row: Row, per_second: float, unit: str) -> str:
    way = "→" if row.from_initiator else "←"
    text = f"{row.frame}:  {row.time_s * per_second:.3f} {unit}   {way}  {row.label}"
    if row.text is not None:
        text += "   " + fit_text(row.text, SMALL, 2.5)
    return text + (f"   [{_remarks(row)}]" if row.remarks else "")


def _spread(wanted: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Places as near as may be to WANTED (rising), at least DISTANCE apart, between LOW and HIGH.

    Neighbours that are too near make a block, which stands where its members want it on average; blocks that then
    collide become one.
    """
    blocks: list[list] = []  # [sum of wanted first places, members]
    for number, place in enumerate(wanted):
        blocks.append([place, 1, number])
        while len(blocks) > 1:
            above, below = blocks[-2], blocks[-1]
            if _first(above, distance, low, high) + above[1] * distance <= _first(below, distance, low, high):
                break
            # What the lower members want, counted from the block's first member.
            above[0] += below[0] - below[1] * above[1] * distance
            above[1] += below[1]
            blocks.pop()
    places = []
    for block in blocks:
        first = _first(block, distance, low, high)
        places += [first + member * distance for member in range(block[1])]
    return places


def _first(block: list, distance: float, low: float, high: float) -> float:
    mean = block[0] / block[1]
    return min(max(mean, low), max(low, high - (block[1] - 1) * distance))


def describe_ladder(
    flow: Flow,
    *,
    frames: Collection[int] | None = None,
    max_rows: int = MOST_ROWS,
    payload_text: PayloadText | None = None,
) -> str:
    """The text twin of ``draw_ladder``: a sentence on the flow, a line a segment, how it ended."""
    per_second, unit = time_unit(flow.duration_s)
    lines = [
        f"Flow {flow.number}: {counted(len(flow.rows), 'segment')} between {flow.initiator} (initiator) and "
        f"{flow.responder} (responder), {flow.duration_s * per_second:.3f} {unit} from the first to the last."
    ]
    for row in ladder_rows(flow, frames=frames, max_rows=max_rows, payload_text=payload_text):
        if isinstance(row, LeftOut):
            lines.append(f"({row.label})")
            continue
        way = "initiator to responder" if row.from_initiator else "responder to initiator"
        meaning = MARKS[row.kind].meaning
        said = "" if row.text is None else f", text {' '.join(row.text.split())!r}"
        told = ", ".join(row.label.split("   "))
        line = f"Frame {row.frame}, {row.time_s * per_second:.3f} {unit}, {way}: {told} ({meaning}){said}"
        lines.append(line + (f"; {_remarks(row)}" if row.remarks else ""))
    lines.append(f"In the end: {flow.closing}.")
    return "\n".join(lines)
