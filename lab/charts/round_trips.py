"""Round-trip times: how long each acknowledgement took, in both directions.

A capture sees a segment pass and later its acknowledgement. Near the sender that is nearly the whole round trip; near
the receiver it is only how long the receiver took. So the two directions of one flow, from one capture, differ, and
their sum is the round trip from end to end.
"""

from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lab.charts.figure import draw_key, draw_marks, time_axes, write_note
from lab.charts.inks import SERIES
from lab.dissect.tcp.flow_rows import time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.one_way import DIRECTIONS, one_way, round_trips
from lab.dissect.text import counted

WIDE = 50  # from a spread of this factor on, the axis is logarithmic


def draw_round_trips(flow: Flow, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the time from segment to acknowledgement, over time, with one kind of mark for each direction.

    Segments that were sent twice are left out, as it is not known which was acknowledged; the key says how often.
    """
    measured = {direction: round_trips(one_way(flow, direction)) for direction in DIRECTIONS}
    every = [trip.rtt_s for trips, _ in measured.values() for trip in trips]
    per_second, unit = time_unit(2 * max(every, default=0.0))
    title = f"Round trips between {flow.initiator} and {flow.responder}" if title is None else title
    is_logarithmic = len(every) > 1 and min(every) > 0 and max(every) > WIDE * min(every)
    y = f"until acknowledged, {unit}" + (" (logarithmic)" if is_logarithmic else "")
    ax, flow_per_second, _ = time_axes(ax, title, y, flow.duration_s)
    key = []
    for ink, (direction, (trips, left_out)) in zip((SERIES[1], SERIES[0]), measured.items(), strict=True):
        values = [trip.rtt_s * per_second for trip in trips]
        label = f"sent by the {direction}:\n{len(trips)} measured"
        if values:
            label += f", median {median(values):.3g} {unit}"
            ax.axhline(median(values), color=ink.colour, linestyle=ink.line, linewidth=1, zorder=0)
        if left_out:
            label += f",\n{left_out} left out (sent twice)"
        face = "white" if direction == "responder" else ink.colour
        times = [trip.time_s * flow_per_second for trip in trips]
        key += draw_marks(ax, times, values, ink.marker, ink.colour, markerfacecolor=face, label=label)
    if is_logarithmic:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    elif every:
        ax.set_ylim(bottom=0)
    else:
        write_note(ax, "nothing that was sent was acknowledged")
    draw_key(ax, key)
    return ax


def describe_round_trips(flow: Flow) -> str:
    """Return the text twin of ``draw_round_trips``: a sentence for each direction, and one on the handshake."""
    sentences = []
    for direction in DIRECTIONS:
        way = one_way(flow, direction)
        trips, left_out = round_trips(way)
        sentence = "no round trip could be measured"
        if trips:
            times = [trip.rtt_s for trip in trips]
            per_second, unit = time_unit(2 * max(times))
            least, middle, most = (f"{per_second * find(times):.3g}" for find in (min, median, max))
            sentence = f"{counted(len(times), 'round trip')} measured, {least} to {most} {unit}, median {middle} {unit}"
        if left_out:
            sentence += f"; {left_out} left out because something was sent twice"
        sentences.append(f"Sent by the {direction} ({way.sender}): {sentence}.")
    if flow.handshake and flow.handshake.rtt_s is not None:
        rtt_s = flow.handshake.rtt_s
        per_second, unit = time_unit(2 * rtt_s)
        sentences.append(f"The handshake took {rtt_s * per_second:.3g} {unit} from SYN to ACK.")
    return "\n".join(sentences)
