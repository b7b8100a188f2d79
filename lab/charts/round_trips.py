"""Round-trip times: how long each acknowledgement took, in both directions.

A capture sees a segment pass and later its acknowledgement. Near the sender that is nearly the whole round trip; near
the receiver it is only how long the receiver took. So the two directions of one flow, from one capture, differ, and
their sum is the round trip from end to end.
"""

from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lab.charts.figure import SERIES, SMALL, new_axes, side_key, tidy
from lab.dissect.tcp.flow_rows import time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.one_way import DIRECTIONS, one_way, round_trips

WIDE = 50  # from a spread of this factor on, the axis is logarithmic


def draw_round_trips(flow: Flow, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Time from segment to acknowledgement, over time, one kind of mark for each direction.

    What was sent twice is left out, since nobody can say which of the two was acknowledged; the key says how often.
    """
    measured = {direction: round_trips(one_way(flow, direction)) for direction in DIRECTIONS}
    every = [trip.rtt_s for trips, _ in measured.values() for trip in trips]
    ax = new_axes(10, 3.8) if ax is None else ax
    per_second, unit = time_unit(flow.duration_s)
    rtt_per_second, rtt_unit = time_unit(2 * max(every, default=0.0))
    title = f"Round trips between {flow.initiator} and {flow.responder}" if title is None else title
    tidy(ax, title, f"time since the flow's first segment, {unit}", f"until acknowledged, {rtt_unit}")
    known = []
    for ink, (direction, (trips, left_out)) in zip((SERIES[1], SERIES[0]), measured.items(), strict=True):
        values = [trip.rtt_s * rtt_per_second for trip in trips]
        label = f"sent by the {direction}:\n{len(trips)} measured"
        if values:
            label += f", median {median(values):.3g} {rtt_unit}"
            ax.axhline(median(values), color=ink.colour, linestyle=ink.line, linewidth=1, zorder=0)
        if left_out:
            label += f",\n{left_out} left out (sent twice)"
        known += ax.plot(
            [trip.time_s * per_second for trip in trips],
            values,
            linestyle="none",
            marker=ink.marker,
            color=ink.colour,
            markersize=6,
            label=label,
            markerfacecolor="white" if direction == "responder" else ink.colour,
        )
    if not every:
        ax.text(
            0.5,
            0.5,
            "nothing that was sent was acknowledged",
            transform=ax.transAxes,
            ha="center",
            fontsize=SMALL,
        )
    positive = [value for value in every if value > 0]
    if len(positive) == len(every) > 1 and max(every) > WIDE * min(every):
        ax.set_yscale("log")
        ax.set_ylabel(f"{ax.get_ylabel()} (logarithmic)")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    elif every:
        ax.set_ylim(bottom=0)
    side_key(ax, known)
    return ax


def describe_round_trips(flow: Flow) -> str:
    """The text twin of ``draw_round_trips``: one sentence a direction, one on the handshake."""
    told = []
    for direction in DIRECTIONS:
        way = one_way(flow, direction)
        trips, left_out = round_trips(way)
        sentence = f"Sent by the {direction} ({way.sender}): "
        if trips:
            times = [trip.rtt_s for trip in trips]
            per_second, unit = time_unit(2 * max(times))
            sentence += (
                f"{len(times)} round trips measured, {min(times) * per_second:.3g} to {max(times) * per_second:.3g} "
                f"{unit}, median {median(times) * per_second:.3g} {unit}"
            )
        else:
            sentence += "no round trip could be measured"
        told.append(
            sentence + (f"; {left_out} left out because something was sent twice." if left_out else ".")
        )
    shake = flow.handshake
    if shake and shake.rtt_s is not None:
        per_second, unit = time_unit(2 * shake.rtt_s)
        told.append(f"The handshake took {shake.rtt_s * per_second:.3g} {unit} from SYN to ACK.")
    return "\n".join(told)
