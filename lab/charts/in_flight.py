"""Draw the bytes in flight: sent, not yet acknowledged, beside the window that the receiver offers.

The height of this line, divided by the round-trip time, is the rate. Three things limit it: the receiver's window (then
the line touches it), the network (then it falls after a loss), or the sender, which had nothing more to send.
"""

from matplotlib.axes import Axes

from lab.charts.figure import draw_key, draw_limit, draw_marks, time_axes, whole_numbers, write_note
from lab.charts.inks import BLUE, VERMILLION, Style
from lab.dissect.tcp.flow_rows import time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.one_way import in_flight, one_way
from lab.dissect.text import counted

NEAR = 1.3  # the scale ends at this multiple of the most that was in flight, even if the window is larger


def draw_in_flight(
    flow: Flow, direction: str = "initiator", *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the bytes sent by one side and not yet acknowledged, over time. ``direction``: who sends."""
    way = one_way(flow, direction)
    steps = in_flight(way)
    title = f"In flight from {way.sender} to {way.receiver}" if title is None else title
    ax, per_second, _ = time_axes(ax, title, "bytes", flow.duration_s)
    if not way.sent:
        write_note(ax, "nothing was sent this way")
        return ax
    times = [step.time_s * per_second for step in steps]
    flying = [step.in_flight for step in steps]
    ax.fill_between(times, flying, step="post", color=BLUE, alpha=0.25, linewidth=0)
    key = ax.plot(times, flying, drawstyle="steps-post", color=BLUE, linewidth=1.6, label="in flight")
    again = {item.frame for item in way.sent if item.repeated}
    if again:
        places = [place for place, item in enumerate(way.order) if item.frame in again]
        late, bytes_then = [times[place] for place in places], [flying[place] for place in places]
        look: Style = {"markersize": 9, "markeredgewidth": 2.4, "label": "sent again"}
        key += draw_marks(ax, late, bytes_then, "x", VERMILLION, **look)
    whole_numbers(ax.yaxis)
    top = 1.08 * max(1, *flying)
    windows = [(x, step.window) for x, step in zip(times, steps, strict=True) if step.window is not None]
    if windows:
        limit, (x, y) = NEAR * max(flying), zip(*windows, strict=True)
        marks, drawn = draw_limit(ax, x, y, "receiver's window", top=limit, least=min(y))
        key += marks
        if drawn:
            top = 1.05 * min(max(*flying, *y), limit)
    ax.set_ylim(0, top)
    draw_key(ax, key)
    return ax


def describe_in_flight(flow: Flow, direction: str = "initiator") -> str:
    """Return the text twin of ``draw_in_flight``: the most, the mean, and how near the window came."""
    way = one_way(flow, direction)
    steps = in_flight(way)
    if not way.sent:
        return f"{way.sender} sent nothing to {way.receiver}."
    most = max(steps, key=lambda step: step.in_flight)
    per_second, unit = time_unit(flow.duration_s)
    lasting_s = [after.time_s - before.time_s for before, after in zip(steps, steps[1:], strict=False)]
    area = sum(step.in_flight * time_s for step, time_s in zip(steps, lasting_s, strict=False))
    mean = area / sum(lasting_s) if sum(lasting_s) else 0.0
    words = f"From {way.sender} to {way.receiver} at most {most.in_flight:,} bytes were in flight "
    words += f"(at {most.time_s * per_second:.3f} {unit}), {mean:,.0f} on average over time. "
    windows = [step.window for step in steps if step.window is not None]
    if windows:
        full = sum(step.window is not None and 0 < step.in_flight >= step.window for step in steps)
        words += f"The receiver would take {min(windows):,} to {max(windows):,} bytes; after "
        words += f"{counted(full, 'segment')} there was no room left. "
    return words + f"{counted(sum(item.repeated for item in way.sent), 'segment')} went out again."
