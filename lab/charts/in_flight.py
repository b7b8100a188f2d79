"""Bytes in flight: what one side has sent and the other has not acknowledged yet, beside what the other would take.

The height of this line, over the round-trip time, is the rate; what holds it down is the receiver's window (then the
line touches it), the network (then it falls after a loss), or that there was nothing more to say.
"""

from matplotlib.axes import Axes

from lab.charts.figure import (
    BLUE,
    ORANGE,
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
from lab.dissect.tcp.one_way import in_flight, one_way

NEAR = 1.3  # how far above the most that was in flight the picture goes, at the most, to show the window


def draw_in_flight(
    flow: Flow, direction: str = "initiator", *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Bytes sent by one side and not yet acknowledged, over time. ``direction``: who sends."""
    way = one_way(flow, direction)
    steps = in_flight(way)
    ax = new_axes(10, 3.8) if ax is None else ax
    per_second, unit = time_unit(flow.duration_s)
    title = f"In flight from {way.sender} to {way.receiver}" if title is None else title
    tidy(ax, title, f"time since the flow's first segment, {unit}", "bytes")
    if not way.sent:
        ax.text(0.5, 0.5, "nothing was sent this way", transform=ax.transAxes, ha="center", fontsize=SMALL)
        return ax
    times = [step.time_s * per_second for step in steps]
    flying = [step.in_flight for step in steps]
    ax.fill_between(times, flying, step="post", color=BLUE, alpha=0.25, linewidth=0)
    known = ax.plot(times, flying, drawstyle="steps-post", color=BLUE, linewidth=1.6, label="in flight")
    again = [item for item in way.sent if item.repeated]
    if again:
        at = {item.time_s: step.in_flight for item, step in zip(way.order, steps, strict=True)}
        known += ax.plot(
            [item.time_s * per_second for item in again],
            [at[item.time_s] for item in again],
            linestyle="none",
            marker="x",
            color=VERMILLION,
            markersize=9,
            markeredgewidth=2.4,
            label="sent again",
        )
    windows = [(step.time_s * per_second, step.window) for step in steps if step.window is not None]
    most, highest = max(flying), max((window for _, window in windows), default=0)
    whole_numbers(ax.yaxis)
    if windows and min(window for _, window in windows) <= NEAR * most:
        known += ax.plot(
            *zip(*windows, strict=True),
            drawstyle="steps-post",
            color=ORANGE,
            linestyle=(0, (5, 2)),
            linewidth=1.6,
            label="receiver's window" + ("\n(where not far above)" if highest > NEAR * most else ""),
        )
        ax.set_ylim(0, 1.05 * min(max(most, highest), NEAR * most))
    else:
        if windows:
            least = min(window for _, window in windows)
            known += ax.plot(
                [], [], linestyle="none", label=f"window not drawn:\nfar above, never\nunder {least:,} bytes"
            )
        ax.set_ylim(0, 1.08 * max(most, 1))
    side_key(ax, known)
    return ax


def describe_in_flight(flow: Flow, direction: str = "initiator") -> str:
    """The text twin of ``draw_in_flight``: the most, the mean, and how near the window came."""
    way = one_way(flow, direction)
    steps = in_flight(way)
    if not way.sent:
        return f"{way.sender} sent nothing to {way.receiver}."
    most = max(steps, key=lambda step: step.in_flight)
    per_second, unit = time_unit(flow.duration_s)
    lasting = [after.time_s - before.time_s for before, after in zip(steps, steps[1:], strict=False)]
    whole = sum(lasting)
    mean = (
        sum(step.in_flight * time for step, time in zip(steps, lasting, strict=False)) / whole
        if whole
        else 0.0
    )
    told = [
        f"From {way.sender} to {way.receiver} at most {most.in_flight:,} bytes were in flight "
        f"(at {most.time_s * per_second:.3f} {unit}), {mean:,.0f} on average over time."
    ]
    windows = [step.window for step in steps if step.window is not None]
    if windows:
        full = sum(step.window is not None and 0 < step.in_flight >= step.window for step in steps)
        told.append(
            f"The receiver would take {min(windows):,} to {max(windows):,} bytes; after "
            f"{counted(full, 'segment')} there was no room left."
        )
    told.append(f"{counted(sum(item.repeated for item in way.sent), 'segment')} went out again.")
    return " ".join(told)
