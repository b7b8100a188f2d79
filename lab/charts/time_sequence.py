"""The time-sequence graph: how one direction of a flow moves through its sequence numbers.

After W. R. Stevens (TCP/IP Illustrated, volume 1) and tcptrace: each segment is an upright bar from its first number to
its last, at its time. Below it climbs the line of what has been acknowledged, above it the line of what the receiver
would take; the sender stays between the two. A bar beside an old one is a repetition; a SACK block shows what arrived
behind a hole.
"""

from collections.abc import Callable, Iterable

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path

from lab.charts.figure import draw_key, draw_limit, draw_marks, time_axes, whole_numbers, write_note
from lab.charts.inks import BLACK, BLUE, BODY, GREEN, GREY, ORANGE, PURPLE, VERMILLION, Style
from lab.dissect.tcp.flow_rows import time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.one_way import OneWay, Sent, burst_times, densest_burst, one_way
from lab.dissect.text import counted

SEQUENCE = "relative sequence number, bytes"
MOST_SENTENCES = 12  # of one kind, in the text twin
NEAR = 1.3  # the scale ends at this multiple of all that was sent, even if the window's edge is higher

Clock = Callable[[float], float]  # seconds since the flow's first segment to the time on an axis


def draw_time_sequence(
    flow: Flow, direction: str = "initiator", *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw segments, acknowledgements, window, SACK blocks and repetitions of one direction over time.

    ``direction``: who sends, "initiator" or "responder". The densest burst whose segments would be one line is drawn
    again below, enlarged: on Axes of its own, for which ``ax`` makes room if it is a subplot. A receiver's window that
    stays far above all that was sent would press the rest flat: then it is not drawn, and the key says so.
    """
    way = one_way(flow, direction)
    burst = densest_burst(way, flow.duration_s)
    title = f"Time and sequence: {way.sender} to {way.receiver}" if title is None else title
    ax, per_second, unit = time_axes(ax, title, SEQUENCE, flow.duration_s, height=8 if burst else 4.8)
    if not way.sent:
        write_note(ax, "nothing was sent this way")
        return ax
    clock = _clock(0, per_second)
    key = _draw_all(ax, way, clock)
    ax.margins(x=0.03)
    if burst and ax.get_subplotspec() is not None:
        first, last = burst_times(burst)
        _enlarge(ax, way, first, last, f"{len(burst)} segments at {first * per_second:.3f} {unit}")
        look: Style = {"markersize": 9, "label": "burst, enlarged below", "zorder": 7, "clip_on": False}
        middle, transform = clock((first + last) / 2), ax.get_xaxis_transform()
        key += draw_marks(ax, [middle], [0], "^", BLACK, transform=transform, **look)
    draw_key(ax, key)
    return ax


def _clock(begin_s: float, per_second: float) -> Clock:
    return lambda time_s: (time_s - begin_s) * per_second


def _draw_all(ax: Axes, way: OneWay, clock: Clock) -> list[Line2D]:
    """Draw all of a direction, and return what belongs in the key."""
    whole_numbers(ax.yaxis)
    key = []
    late = [item for item in way.sent if item.overtaken]
    again = [item for item in way.sent if item.repeated]
    fresh = [item for item in way.sent if not item.repeated and not item.overtaken]
    kinds = ((fresh, "segment", BLUE, 1.6, "_"), (late, "out of order", BLACK, 1.6, "d"))
    for chosen, name, colour, width, marker in (*kinds, (again, "sent again", VERMILLION, 3.2, "x")):
        if not chosen:
            continue
        times = [clock(item.time_s) for item in chosen]
        starts, ends = [item.start for item in chosen], [item.end for item in chosen]
        ax.vlines(times, starts, ends, color=colour, linewidth=width, label=name)
        draw_marks(ax, times, ends, marker, colour, markersize=7)
        if marker == "_":
            draw_marks(ax, times, starts, marker, colour, markersize=7)
        key.append(_upright(colour, width, marker, name))
    if flags := [item for item in way.sent if item.syn or item.fin]:
        times, starts = [clock(item.time_s) for item in flags], [item.start for item in flags]
        look: Style = {"markersize": 7, "markerfacecolor": "white", "zorder": 5, "label": "SYN, FIN"}
        key += draw_marks(ax, times, starts, "D", GREEN, **look)
    if way.acknowledged:
        key += _draw_answers(ax, way, clock) + _draw_window(ax, way, clock)
    return key


def _upright(colour: str, width: float, marker: str, name: str) -> Line2D:
    """Return a bar for the key, upright as it is in the picture, with its mark at the top."""
    bar = [(0.0, -1.0), (0.0, 1.0)]
    strokes = {
        "_": [bar, [(-0.4, 1.0), (0.4, 1.0)], [(-0.4, -1.0), (0.4, -1.0)]],
        "x": [bar, [(-0.5, 0.5), (0.5, 1.5)], [(-0.5, 1.5), (0.5, 0.5)]],
        "d": [bar, [(0.0, 1.6), (-0.4, 1.1), (0.0, 0.6), (0.4, 1.1), (0.0, 1.6)]],
        "": [bar],
    }[marker]
    shape = Path.make_compound_path(*(Path(stroke) for stroke in strokes))
    look: Style = {"marker": shape, "markersize": 13, "markeredgewidth": width, "fillstyle": "none"}
    return Line2D([], [], linestyle="none", color=colour, label=name, **look)


def _draw_answers(ax: Axes, way: OneWay, clock: Clock) -> list[Line2D]:
    """Draw what the receiver acknowledged, SACK blocks included."""
    times, acks = [clock(item.time_s) for item in way.acknowledged], [item.ack for item in way.acknowledged]
    key = ax.plot(times, acks, drawstyle="steps-post", color=GREY, linewidth=1.4, label="acknowledged")
    if duplicates := [item for item in way.acknowledged if item.duplicate]:
        times, acks = [clock(item.time_s) for item in duplicates], [item.ack for item in duplicates]
        look: Style = {"markersize": 5, "markerfacecolor": "white", "label": "duplicate ACK"}
        key += draw_marks(ax, times, acks, "o", GREY, **look)
    if blocks := [(clock(item.time_s), *block) for item in way.acknowledged for block in item.blocks]:
        moments, lefts, rights = zip(*blocks, strict=True)
        ax.vlines(moments, lefts, rights, color=PURPLE, linewidth=5, alpha=0.8, zorder=1, label="SACK block")
        key.append(_upright(PURPLE, 5, "", "SACK block"))
    return key


def _draw_window(ax: Axes, way: OneWay, clock: Clock) -> list[Line2D]:
    """Draw the window's edge and where the window was closed, if that is near what was sent."""
    base, highest = min(item.start for item in way.sent), max(item.end for item in way.sent)
    reach = highest - base
    times, edges = [clock(item.time_s) for item in way.acknowledged], [item.edge for item in way.acknowledged]
    limit, least = base + NEAR * reach, min(item.window for item in way.acknowledged)
    key, drawn = draw_limit(ax, times, edges, "window's edge", top=limit, least=least)
    if not drawn:
        return key
    if closed := [item for item in way.acknowledged if item.window == 0]:
        times, edges_closed = [clock(item.time_s) for item in closed], [item.edge for item in closed]
        look: Style = {"markersize": 7, "markeredgecolor": BLACK, "zorder": 6, "label": "window closed"}
        key += draw_marks(ax, times, edges_closed, "s", ORANGE, **look)
    ax.set_ylim(base - 0.05 * reach, min(max(highest, *edges), limit) + 0.05 * reach)
    return key


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


def _enlarge(ax: Axes, way: OneWay, first_s: float, last_s: float, burst: str) -> None:
    """Draw the time of a burst on Axes below, with a clock of its own."""
    spec, figure = ax.get_subplotspec(), ax.figure
    assert spec is not None
    grid = spec.subgridspec(2, 1, height_ratios=(3, 2))
    ax.set_subplotspec(grid[0])
    below = figure.add_subplot(grid[1])
    below, per_second, _ = time_axes(below, "", SEQUENCE, last_s - first_s, since="burst")
    below.set_title(f"Enlarged: the burst of {burst}", fontsize=BODY, loc="left")
    clock, margin_s = _clock(first_s, per_second), 0.03 * (last_s - first_s)
    _draw_all(below, way, clock)
    _look_closer(below, way, (first_s - margin_s, last_s + margin_s), clock)


def describe_time_sequence(flow: Flow, direction: str = "initiator") -> str:
    """Return the text twin of ``draw_time_sequence``: what went which way, what was sent again, and the answers."""
    way = one_way(flow, direction)
    if not way.sent:
        return f"{way.sender} sent nothing to {way.receiver}."
    per_second, unit = time_unit(flow.duration_s)

    def at(time_s: float) -> str:
        return f"at {time_s * per_second:.3f} {unit}"

    data = [item for item in way.sent if item.payload_length]
    payload, end = sum(item.payload_length for item in data), max(item.end for item in way.sent)
    sentences = [
        f"{way.sender} to {way.receiver}: {counted(len(data), 'segment')} with {payload:,} bytes of payload, "
        f"numbers {way.sent[0].start:,} to {end:,}."
    ]
    if burst := densest_burst(way, flow.duration_s):
        sentences.append(f"A burst {at(burst_times(burst)[0])}, enlarged below: {_describe_burst(burst)}")
    sentences += first_few(
        f"Frame {item.frame} {at(item.time_s)} {'sends again' if item.repeated else 'arrives late with'} "
        f"{item.start:,} to {item.end:,}."
        for item in way.sent
        if item.repeated or item.overtaken
    )
    answers = way.acknowledged
    if not answers:
        return "\n".join([*sentences, "Nothing was acknowledged."])
    duplicates, windows = sum(item.duplicate for item in answers), [item.window for item in answers]
    acknowledgements = f"{counted(len(answers), 'acknowledgement')}, {duplicates} of them duplicates"
    sentences.append(f"{acknowledgements}, the last of {answers[-1].ack:,}.")
    sentences += first_few(
        f"Frame {item.frame} has SACK {', '.join(f'{left:,} to {right:,}' for left, right in item.blocks)}."
        for item in answers
        if item.blocks
    )
    sentences.append(f"The receiver's window is between {min(windows):,} and {max(windows):,} bytes.")
    closes = [item for item in answers if item.window == 0]
    sentences += first_few(f"Frame {item.frame} {at(item.time_s)} closes the window." for item in closes)
    return "\n".join(sentences)


def _describe_burst(burst: list[Sent]) -> str:
    first, last = burst_times(burst)
    per_second, unit = time_unit(last - first)
    numbers = f"{min(item.start for item in burst):,} to {max(item.end for item in burst):,}"
    return (
        f"{len(burst)} segments in {(last - first) * per_second:,.1f} {unit}, "
        f"frames {burst[0].frame} to {burst[-1].frame}, numbers {numbers}."
    )


def first_few(sentences: Iterable[str]) -> list[str]:
    """Return the first of some sentences of a kind, and how many more there are: nobody listens to hundreds."""
    every = list(sentences)
    more = len(every) - MOST_SENTENCES
    return every[:MOST_SENTENCES] + ([f"({more} more of these.)"] if more > 0 else [])
