"""Time and sequence, round trips, bytes in flight: what is drawn is what was built into the flow."""

import shutil
import subprocess
from collections import Counter
from functools import partial

import numpy as np
import pytest

from lab.charts import (
    describe_in_flight,
    describe_round_trips,
    describe_time_sequence,
    draw_in_flight,
    draw_round_trips,
    draw_time_sequence,
    new_axes,
)
from lab.charts.time_sequence import MOST_SENTENCES, first_few
from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.one_way import (
    Acknowledged,
    InFlight,
    OneWay,
    Sent,
    densest_burst,
    in_flight,
    one_way,
    round_trips,
    unwrap,
)
from lab.dissect.tcp.segments import read_segments
from tests.charts.looks import grey, inspect_text, page_of
from tests.charts.traffic import LAST, LOST, MSS, ROUND_TRIP_MS
from tests.support import CHAT


def line(ax, label):
    [found] = [one for one in ax.lines if one.get_label().split("\n")[0] == label]
    return found


def bars(ax, label):
    """(time, from, to) of upright bars."""
    [found] = [one for one in ax.collections if one.get_label() == label]
    return [(path[0][0], path[0][1], path[1][1]) for path in found.get_segments()]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_every_byte_once_though_the_numbers_wrap(lossy):
    way = one_way(lossy)
    data = [item for item in way.sent if item.payload_length and not item.repeated]
    assert [(item.start, item.end) for item in data] == [(1 + MSS * n, 1 + MSS * (n + 1)) for n in range(24)]
    assert way.sent[0].syn and way.sent[-1].fin
    assert [(item.start - 1) // MSS for item in way.sent if item.repeated] == [LOST, LAST]
    blocks = [item.blocks for item in way.acknowledged if item.blocks]
    assert blocks == [((6001, 7001),), ((6001, 8001),), ((6001, 9001),), ((6001, 10001),)]
    assert sum(item.duplicate for item in way.acknowledged) == 4


def test_numbers_go_on_rising_past_the_wrap():
    assert unwrap(np.array([2**32 - 2, 2**32 - 1, 3, 2, 2**31], np.uint32)) == [-2, -1, 3, 2, 2**31]
    assert unwrap(np.array([], np.uint32)) == []


def test_a_segment_that_was_sent_twice_measures_nothing(lossy):
    trips, left_out = round_trips(one_way(lossy))
    assert left_out == 2
    assert {round(trip.rtt_s * 1000, 6) for trip in trips} == {ROUND_TRIP_MS}
    covered = {item.frame for item in one_way(lossy).sent if item.repeated}
    assert not covered & {trip.frame for trip in trips}


def test_round_trips_agree_with_the_handshake(plain):
    (first, *_), _ = round_trips(one_way(plain))
    assert first.rtt_s == pytest.approx(plain.handshake.responder_rtt_s)
    (first, *_), _ = round_trips(one_way(plain, "responder"))
    assert first.rtt_s == pytest.approx(plain.handshake.initiator_rtt_s)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("which", ["plain", "encrypted", "lossy"])
def test_round_trips_are_those_that_tshark_measures(which, request):
    flow = request.getfixturevalue(which)
    fields = ["-e", "frame.number", "-e", "tcp.analysis.acks_frame", "-e", "tcp.analysis.ack_rtt"]
    asked = f"tcp.analysis.ack_rtt && tcp.stream == {flow.number}"
    command = ["tshark", "-r", flow.segments.capture.path, "-Y", asked, "-T", "fields", *fields]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = {int(ack): (int(frame), float(rtt)) for ack, frame, rtt in map(str.split, told.splitlines())}
    ours, left_out = {}, 0
    for direction in ("initiator", "responder"):
        trips, doubtful = round_trips(one_way(flow, direction))
        ours |= {trip.ack_frame: (trip.frame, pytest.approx(trip.rtt_s, abs=2e-9)) for trip in trips}
        left_out += doubtful
    assert {ack: theirs.get(ack) for ack in ours} == ours
    assert len(theirs) - len(ours) <= left_out  # it measures what was sent twice, too


def sent(frame, time_s, start, end, repeated=False):
    return Sent(frame, time_s, start, end, end - start, False, False, repeated, False)


def test_in_flight_counts_what_is_not_acknowledged():
    segments = [sent(1, 0.0, 1, 101), sent(2, 1.0, 101, 201), sent(4, 3.0, 101, 201, True)]
    answers = [Acknowledged(3, 2.0, 101, 500, False, ()), Acknowledged(5, 4.0, 201, 0, False, ())]
    way = OneWay(None, None, segments, answers)
    assert in_flight(way) == [
        InFlight(0.0, 100, None),
        InFlight(1.0, 200, None),
        InFlight(2.0, 100, 500),
        InFlight(3.0, 100, 500),
        InFlight(4.0, 0, 0),
    ]
    trips, left_out = round_trips(way)
    assert ([trip.frame for trip in trips], left_out) == ([1], 1)


def times_of_burst(*times_s):
    """The densest burst of one segment at each of these seconds, in a flow of ten seconds."""
    segments = [sent(frame, time_s, 100 * frame, 100 * frame + 100) for frame, time_s in enumerate(times_s)]
    return [item.time_s for item in densest_burst(OneWay(None, None, segments, []), 10)]


def test_the_densest_burst_is_the_one_of_most_segments():
    small, large = (1.0, 1.001, 1.002, 1.003), (5.0, 5.004, 5.008, 5.012, 5.016)
    assert times_of_burst(0.0, *small, 3.0, *large, 9.9) == list(large)
    assert times_of_burst(*small, *(time_s + 1 for time_s in small)) == list(small)  # the first of two alike
    assert times_of_burst(1.0, 1.002, 1.001, 1.003) == [1.0, 1.002, 1.001, 1.003]  # as in the file


@pytest.mark.parametrize(
    "times_s",
    [
        (),
        (1.0, 1.001, 1.002),  # one fewer than a burst has
        (1.0, 1.02, 1.04, 1.06),  # 0.2 % of the flow apart: seen without help
        (1.0, 1.0, 1.0, 1.0),  # no clock was fine enough: there is nothing to enlarge
        tuple(number / 200 for number in range(2000)),  # all the time: a steady upload
    ],
    ids=["nothing", "few", "apart", "at once", "steady"],
)
def test_where_there_is_no_burst(times_s):
    assert times_of_burst(*times_s) == []


def test_a_syn_is_no_part_of_a_burst():
    syn = Sent(1, 0.0, 0, 1, 0, True, False, False, False)
    way = OneWay(None, None, [syn, *(sent(2 + n, n / 1000, 1 + n, 2 + n) for n in range(4))], [])
    assert [item.frame for item in densest_burst(way, 10)] == [2, 3, 4, 5]


def test_there_are_two_directions_only(plain):
    with pytest.raises(ValueError, match="'initiator' and 'responder'"):
        one_way(plain, "client")


# --- the pictures ----------------------------------------------------------------------------------------------------


def test_segments_are_bars_and_repetitions_are_other_bars(lossy):
    ax = draw_time_sequence(lossy)
    assert len(bars(ax, "segment")) == 24 + 2  # with SYN and FIN
    assert [(low, high) for _, low, high in bars(ax, "sent again")] == [(5001, 6001), (23001, 24001)]
    assert bars(ax, "SACK block")[-1] == pytest.approx((94.0, 6001, 10001))
    assert list(line(ax, "acknowledged").get_ydata())[-1] == 24_002
    assert list(line(ax, "window closed").get_ydata()) == [18_001]
    assert len(line(ax, "duplicate ACK").get_ydata()) == 4


def test_a_window_far_away_is_not_drawn_but_told(plain, lossy):
    ax = draw_time_sequence(plain)
    assert any(label.startswith("window not drawn") and "65,4" in label for label in key(ax))
    assert ax.get_ylim()[1] < 200
    assert ax.get_ylim()[1] > max(high for _, _, high in bars(ax, "segment"))
    ax = draw_time_sequence(lossy)
    assert "window's edge\n(where not far above)" in key(ax) and ax.get_ylim()[1] < 40_000


def lesson(name, flow=0):
    return find_flow(read_segments(CHAT.parent / "lessons" / f"{name}.pcapng"), flow)


def test_a_burst_is_drawn_again_enlarged():
    calm = lesson("calm")
    above = draw_time_sequence(calm)
    _, below = above.figure.axes
    burst = [item for item in one_way(calm).sent if item.payload_length]
    first, last = burst[0].time_s, burst[-1].time_s
    assert below.get_title(loc="left") == f"Enlarged: the burst of 10 segments at {first * 1e3:.3f} ms"
    assert below.get_xlabel() == "time since the burst's first segment, µs"
    left, right = below.get_xlim()
    shown = [bar for bar in bars(below, "segment") if left <= bar[0] <= right]
    assert shown == [(pytest.approx((item.time_s - first) * 1e6), item.start, item.end) for item in burst]
    assert left < 0 < (last - first) * 1e6 < right < 1.1 * (last - first) * 1e6
    low, high = below.get_ylim()
    assert low < burst[0].start and burst[-1].end < high
    [mark] = line(above, "burst, enlarged below").get_xdata()
    assert first * 1e3 <= mark <= last * 1e3 and key(above)[-1] == "burst, enlarged below"


def test_what_needs_no_enlarging_is_drawn_once(lossy):
    for flow in (lesson("back-off"), lesson("report"), lossy):
        assert len(draw_time_sequence(flow).figure.axes) == 1
    figure = new_axes().figure
    free = figure.add_axes((0.1, 0.1, 0.6, 0.8))  # no subplot: nothing can make room below it
    draw_time_sequence(lesson("calm"), ax=free)
    assert len(figure.axes) == 2 and "enlarged" not in key(free)[-1]


@pytest.mark.parametrize(
    ("name", "flow", "direction"),
    [
        ("calm", 0, "initiator"),
        ("loss-at-the-sender", 0, "initiator"),
        ("loss-at-the-receiver", 0, "initiator"),
        ("back-off", 0, "initiator"),
        ("zero-window", 0, "responder"),
        ("frozen", 1, "responder"),
        ("frozen", 2, "responder"),
    ],
)
def test_the_shipped_lessons_are_readable(name, flow, direction):
    drawn = draw_time_sequence(lesson(name, flow), direction)
    assert inspect_text(drawn) == []
    for ax in drawn.figure.axes:
        segments = [
            one for one in ax.collections if one.get_label() in ("segment", "sent again", "out of order")
        ]
        assert all(grey(one.get_color()[0]) < 0.6 for one in segments)


def test_two_bursts_on_one_page_are_readable():
    chart = partial(draw_time_sequence, lesson("loss-at-the-receiver"))
    page = page_of([chart, chart], columns=2)
    assert inspect_text(page) == [] and len(page.get_axes()) == 4


def test_kinds_differ_in_more_than_colour(lossy):
    ax = draw_time_sequence(lossy)
    looks = [
        (
            str(handle.get_marker()),
            handle.get_linestyle(),
            handle.get_markeredgewidth(),
            handle.get_linewidth(),
        )
        for handle in ax.get_legend().legend_handles
    ]
    assert len(looks) == 8 and len(set(looks)) == len(looks)


def test_round_trips_drawn_are_those_measured(lossy):
    ax = draw_round_trips(lossy)
    assert ax.get_yscale() == "log" and "logarithmic" in ax.get_ylabel()
    labels = key(ax)
    assert labels[0] == "sent by the initiator:\n14 measured, median 40 ms,\n2 left out (sent twice)"
    assert labels[1].startswith("sent by the responder:\n2 measured")
    [ours] = [one for one in ax.lines if one.get_label() == labels[0]]
    assert list(ours.get_ydata()) == pytest.approx([40.0] * 14)
    assert len({one.get_marker() for one in ax.lines if one.get_label() in labels}) == 2


def test_bytes_in_flight_drawn(lossy):
    ax = draw_in_flight(lossy)
    flying = line(ax, "in flight").get_ydata()
    assert max(flying) == 10_000 and flying[-1] == 0
    assert list(line(ax, "sent again").get_ydata()) == [5000, 1000]
    assert min(line(ax, "receiver's window").get_ydata()) == 0


def test_what_was_recorded_twice_was_sent_again_even_where_wireshark_says_out_of_order():
    narrow = lesson("narrow-cable")
    way = one_way(narrow)
    seen = Counter(item.start for item in way.sent if item.payload_length)
    again = [item for item in way.sent if item.repeated]
    assert {item.start for item in again} == {start for start, count in seen.items() if count == 2}
    assert {70, 73, 76, 167} < {item.frame for item in again}  # out of order, for Wireshark
    assert not any(item.overtaken for item in way.sent)
    assert len(line(draw_in_flight(narrow), "sent again").get_ydata()) == len(again) == 16
    assert "16 segments went out again." in describe_in_flight(narrow)
    [late] = [item for item in one_way(lesson("loss-at-the-receiver")).sent if item.overtaken]
    assert late.start == 2001  # recorded once


@pytest.mark.parametrize("which", ["plain", "encrypted", "lossy"])
def test_nothing_overlaps_or_is_cut(which, request):
    flow = request.getfixturevalue(which)
    for direction in ("initiator", "responder"):
        assert inspect_text(draw_time_sequence(flow, direction)) == []
        assert inspect_text(draw_in_flight(flow, direction)) == []
    assert inspect_text(draw_round_trips(flow)) == []


def test_the_twins_say_what_is_drawn(lossy):
    told = describe_time_sequence(lossy)
    assert "26 segments with 26,000 bytes of payload, numbers 0 to 24,002." in told
    assert "Frame 22 at 93.500 ms sends again 5,001 to 6,001." in told
    assert "4 of them duplicates" in told and "Frame 23 has SACK 6,001 to 10,001." in told
    assert "Frame 34 at 187.000 ms closes the window." in told
    told = describe_round_trips(lossy)
    assert (
        "14 round trips measured, 40 to 40 ms, median 40 ms; 2 left out because something was sent twice."
        in told
    )
    assert "The handshake took 40.1 ms from SYN to ACK." in told
    told = describe_in_flight(lossy)
    assert (
        "at most 10,000 bytes were in flight (at 54.000 ms)" in told and "2 segments went out again." in told
    )


def test_the_twin_says_what_is_enlarged(lossy):
    calm = lesson("calm")
    told = describe_time_sequence(calm)
    assert (
        "A burst at 312.098 ms, enlarged below: 10 segments in 260.0 µs, frames 6 to 15, numbers 1 to 10,001.\n"
        in told
    )
    assert "enlarged" not in describe_time_sequence(lossy)


def test_a_twin_stops_somewhere():
    assert first_few(str(n) for n in range(MOST_SENTENCES)) == [str(n) for n in range(MOST_SENTENCES)]
    assert first_few("x" for _ in range(MOST_SENTENCES + 5))[-1] == "(5 more of these.)"
