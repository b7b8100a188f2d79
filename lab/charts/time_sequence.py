"""The time-sequence graph: how one direction of a flow moves through its sequence numbers.

After W. R. Stevens (TCP/IP Illustrated, volume 1) and tcptrace: each segment is an upright bar from its first number to
its last, at its time. Below it climbs the line of what has been acknowledged, above it the line of what the receiver
would take; the sender lives between the two. A bar beside an old one is a repetition; a SACK block shows what arrived
behind a hole.
"""

from collections.abc import Callable, Iterable

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path

from lab.charts.figure import (
    BLACK,
    BLUE,
    BODY,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SMALL,
    VERMILLION,
    counted,
    new_axes,
    side_key,
    tidy,
    whole_numbers,
)
from lab.dissect.tcp.flow_rows import time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.one_way import OneWay, Sent, burst_times, densest_burst, one_way

SEQUENCE = "relative sequence number, bytes"
MOST_TOLD = 12
NEAR = 1.3  # how far above all that was sent the picture goes, at the most, to show the window's edge

Clock = Callable[[float], float]  # seconds since the flow's first segment to the time on an axis


def draw_time_sequence(
    flow: Flow,
    direction: str = "initiator",
    *,
    between_s: tuple[float, float] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Segments, acknowledgements, window, SACK blocks and repetitions of one direction over time.

    ``direction``: who sends, "initiator" or "responder". ``between_s``: look closer at these seconds of the flow.
    Without it the densest burst whose segments would be one line is drawn again below, enlarged: Axes of their own, for
    which ``ax`` makes room if it is a subplot. A receiver's window that stays far above all that was sent would press
    the rest flat: then it is not drawn, and the picture says so. A flow without a segment in this direction gives
    empty axes that say so.
    """
    way = one_way(flow, direction)
    burst = densest_burst(way, flow.duration_s) if between_s is None else []
    ax = new_axes(10, 8 if burst else 4.8) if ax is None else ax
    per_second, unit = time_unit(flow.duration_s)
    if title is None:
        title = f"Time and sequence: {way.sender} to {way.receiver}"
    tidy(ax, title, f"time since the flow's first segment, {unit}", SEQUENCE)
    if not way.sent:
        ax.text(0.5, 0.5, "nothing was sent this way", transform=ax.transAxes, ha="center", fontsize=SMALL)
        return ax
    clock = _clock(0, per_second)
    known = _draw(ax, way, clock)
    ax.margins(x=0.03)
    if between_s is not None:
        _look_closer(ax, way, between_s, clock)
    if burst and ax.get_subplotspec() is not None:
        known += _enlarge(ax, way, burst, per_second, unit)
    side_key(ax, known)
    return ax


def _draw(ax: Axes, way: OneWay, clock: Clock) -> list[Line2D]:
    """Draw all of a direction, and return what belongs into the key."""
    known = []
    fresh = [item for item in way.sent if not item.repeated and not item.overtaken]
    for chosen, name, colour, width, marker in (
        (fresh, "segment", BLUE, 1.6, "_"),
        ([item for item in way.sent if item.overtaken], "out of order", BLACK, 1.6, "d"),
        ([item for item in way.sent if item.repeated], "sent again", VERMILLION, 3.2, "x"),
    ):
        if chosen:
            _bars(ax, chosen, clock, colour, width, marker, name)
            known.append(_upright(colour, width, marker, name))
    ends = [item for item in way.sent if item.syn or item.fin]
    if ends:
        known += ax.plot(
            [clock(item.time_s) for item in ends],
            [item.start for item in ends],
            linestyle="none",
            marker="D",
            color=GREEN,
            markersize=7,
            markerfacecolor="white",
            label="SYN, FIN",
            zorder=5,
        )
    whole_numbers(ax.yaxis)
    return known + _answers(ax, way, clock)


def _clock(begin_s: float, per_second: float) -> Clock:
    return lambda time_s: (time_s - begin_s) * per_second


def _enlarge(ax: Axes, way: OneWay, burst: list[Sent], per_second: float, unit: str) -> list[Line2D]:
    """Draw a burst on Axes below, with a clock of its own; mark where it is, and return the mark for the key."""
    grid = ax.get_subplotspec().subgridspec(2, 1, height_ratios=(3, 2))
    ax.set_subplotspec(grid[0])
    below = ax.figure.add_subplot(grid[1])
    first, last = burst_times(burst)
    finer, finer_unit = time_unit(last - first)
    tidy(below, "", f"time since the burst's first segment, {finer_unit}", SEQUENCE)
    title = f"Enlarged: the burst of {len(burst)} segments at {first * per_second:.3f} {unit}"
    below.set_title(title, fontsize=BODY, loc="left")
    clock, margin = _clock(first, finer), 0.03 * (last - first)
    _draw(below, way, clock)
    _look_closer(below, way, (first - margin, last + margin), clock)
    middle, on_the_axis = (first + last) / 2 * per_second, ax.get_xaxis_transform()
    look = {"color": BLACK, "marker": "^", "markersize": 9, "linestyle": "none", "zorder": 7}
    return ax.plot([middle], [0], transform=on_the_axis, clip_on=False, label="burst, enlarged below", **look)


def _upright(colour: str, width: float, marker: str, name: str) -> Line2D:
    """A bar for the key, upright as it is in the picture, with its mark at the top."""
    bar = [(0, -1), (0, 1)]
    strokes = {
        "_": [bar, [(-0.4, 1), (0.4, 1)], [(-0.4, -1), (0.4, -1)]],
        "x": [bar, [(-0.5, 0.5), (0.5, 1.5)], [(-0.5, 1.5), (0.5, 0.5)]],
        "d": [bar, [(0, 1.6), (-0.4, 1.1), (0, 0.6), (0.4, 1.1), (0, 1.6)]],
        "": [bar],
    }[marker]
    shape = Path.make_compound_path(*(Path(stroke) for stroke in strokes))
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=shape,
        markersize=13,
        color=colour,
        markeredgewidth=width,
        label=name,
        fillstyle="none",
    )


def _look_closer(ax: Axes, way: OneWay, between_s: tuple[float, float], clock: Clock) -> None:
    """Cut the picture down to some seconds, and to the numbers that were sent or acknowledged in them."""
    first, last = between_s
    sent = [item for item in way.sent if first <= item.time_s <= last]
    answers = [item for item in way.acknowledged if first <= item.time_s <= last]
    numbers = [number for item in sent for number in (item.start, item.end)] + [item.ack for item in answers]
    ax.set_xlim(clock(first), clock(last))
    if numbers:
        low, high = min(numbers), max(numbers)
        edge = max((item.edge for item in answers if item.edge <= low + NEAR * (high - low)), default=high)
        margin = 0.05 * max(1, high - low)
        ax.set_ylim(low - margin, max(high, edge) + margin)


def _bars(ax: Axes, items: list, clock: Clock, colour: str, width: float, marker: str, name: str) -> None:
    times = [clock(item.time_s) for item in items]
    ax.vlines(
        times,
        [item.start for item in items],
        [item.end for item in items],
        color=colour,
        linewidth=width,
        label=name,
    )
    ax.plot(times, [item.end for item in items], linestyle="none", marker=marker, color=colour, markersize=7)
    if marker == "_":
        ax.plot(
            times, [item.start for item in items], linestyle="none", marker=marker, color=colour, markersize=7
        )


def _answers(ax: Axes, way: OneWay, clock: Clock) -> list:
    """Draw what the receiver said: acknowledgements, SACK blocks, window. Gives what the key wants."""
    known = []
    if not way.acknowledged:
        return known
    times = [clock(item.time_s) for item in way.acknowledged]
    known += ax.plot(
        times,
        [item.ack for item in way.acknowledged],
        drawstyle="steps-post",
        color=GREY,
        linewidth=1.4,
        label="acknowledged",
    )
    duplicates = [item for item in way.acknowledged if item.duplicate]
    if duplicates:
        known += ax.plot(
            [clock(item.time_s) for item in duplicates],
            [item.ack for item in duplicates],
            linestyle="none",
            marker="o",
            markerfacecolor="white",
            color=GREY,
            markersize=5,
            label="duplicate ACK",
        )
    blocks = [(clock(item.time_s), *block) for item in way.acknowledged for block in item.blocks]
    if blocks:
        ax.vlines(
            *zip(*blocks, strict=True), color=PURPLE, linewidth=5, alpha=0.8, zorder=1, label="SACK block"
        )
        known.append(_upright(PURPLE, 5, "", "SACK block"))
    base, highest = min(item.start for item in way.sent), max(item.end for item in way.sent)
    reach = highest - base
    edges = [item.edge for item in way.acknowledged]
    if min(edges) > base + NEAR * reach:
        least = min(item.window for item in way.acknowledged)
        known.append(
            Line2D(
                [], [], linestyle="none", label=f"window not drawn:\nfar above, never\nunder {least:,} bytes"
            )
        )
        return known
    cut = max(edges) > base + NEAR * reach
    known += ax.plot(
        times,
        edges,
        drawstyle="steps-post",
        color=ORANGE,
        linestyle=(0, (5, 2)),
        linewidth=1.6,
        label="window's edge" + ("\n(where not far above)" if cut else ""),
    )
    closed = [item for item in way.acknowledged if item.window == 0]
    if closed:
        known += ax.plot(
            [clock(item.time_s) for item in closed],
            [item.edge for item in closed],
            linestyle="none",
            marker="s",
            color=ORANGE,
            markeredgecolor=BLACK,
            markersize=7,
            label="window closed",
            zorder=6,
        )
    ax.set_ylim(base - 0.05 * reach, min(max(highest, *edges), base + NEAR * reach) + 0.05 * reach)
    return known


def describe_time_sequence(flow: Flow, direction: str = "initiator") -> str:
    """The text twin of ``draw_time_sequence``: what went which way, what was sent again and what came of it."""
    way = one_way(flow, direction)
    per_second, unit = time_unit(flow.duration_s)
    data = [item for item in way.sent if item.payload_length]
    if not way.sent:
        return f"{way.sender} sent nothing to {way.receiver}."
    told = [
        f"{way.sender} to {way.receiver}: {counted(len(data), 'segment')} with "
        f"{sum(item.payload_length for item in data):,} bytes of payload, "
        f"numbers {way.sent[0].start:,} to {max(item.end for item in way.sent):,}."
    ]
    if burst := densest_burst(way, flow.duration_s):
        told.append(_told_of_burst(burst, per_second, unit))
    told += _some(
        f"Frame {item.frame} at {item.time_s * per_second:.3f} {unit} "
        f"{'sends again' if item.repeated else 'arrives late with'} {item.start:,} to {item.end:,}."
        for item in way.sent
        if item.repeated or item.overtaken
    )
    if not way.acknowledged:
        return "\n".join([*told, "Nothing was acknowledged."])
    duplicates = [item for item in way.acknowledged if item.duplicate]
    told.append(
        f"{counted(len(way.acknowledged), 'acknowledgement')}, {len(duplicates)} of them duplicates, the last of "
        f"{way.acknowledged[-1].ack:,}."
    )
    told += _some(
        f"Frame {item.frame} has SACK {', '.join(f'{left:,} to {right:,}' for left, right in item.blocks)}."
        for item in way.acknowledged
        if item.blocks
    )
    windows = [item.window for item in way.acknowledged]
    told.append(f"The receiver's window is between {min(windows):,} and {max(windows):,} bytes.")
    told += _some(
        f"Frame {item.frame} at {item.time_s * per_second:.3f} {unit} closes the window."
        for item in way.acknowledged
        if item.window == 0
    )
    return "\n".join(told)


def _told_of_burst(burst: list[Sent], per_second: float, unit: str) -> str:
    first, last = burst_times(burst)
    finer, finer_unit = time_unit(last - first)
    numbers = f"{min(item.start for item in burst):,} to {max(item.end for item in burst):,}"
    return (
        f"A burst at {first * per_second:.3f} {unit}, enlarged below: {len(burst)} segments in "
        f"{(last - first) * finer:,.1f} {finer_unit}, frames {burst[0].frame} to {burst[-1].frame}, numbers {numbers}."
    )


def _some(sentences: Iterable[str]) -> list[str]:
    """The first MOST_TOLD of some sentences of a kind, and how many more there are: a twin is to be listened to."""
    every = list(sentences)
    more = len(every) - MOST_TOLD
    return every[:MOST_TOLD] + ([f"({more} more of these.)"] if more > 0 else [])
