"""Time and sequence, round trips, bytes in flight: what is drawn is what was built into the flow."""

import shutil
import subprocess

import numpy as np
import pytest

from lab.charts import (
    describe_in_flight,
    describe_round_trips,
    describe_time_sequence,
    draw_in_flight,
    draw_round_trips,
    draw_time_sequence,
)
from lab.charts.one_way import Acknowledged, InFlight, OneWay, Sent, _unwrap, in_flight, one_way, round_trips
from lab.charts.time_sequence import MOST_TOLD, _some
from tests.charts.looks import inspect_text
from tests.charts.traffic import LAST, LOST, MSS, ROUND_TRIP_MS


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
    assert _unwrap(np.array([2**32 - 2, 2**32 - 1, 3, 2, 2**31], np.uint32)) == [-2, -1, 3, 2, 2**31]
    assert _unwrap(np.array([], np.uint32)) == []


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
    way = OneWay(None, None)
    way.sent = [sent(1, 0.0, 1, 101), sent(2, 1.0, 101, 201), sent(4, 3.0, 101, 201, True)]
    way.acknowledged = [Acknowledged(3, 2.0, 101, 500, False, ()), Acknowledged(5, 4.0, 201, 0, False, ())]
    way.order = sorted([*way.sent, *way.acknowledged], key=lambda item: item.frame)
    assert in_flight(way) == [
        InFlight(0.0, 100, None),
        InFlight(1.0, 200, None),
        InFlight(2.0, 100, 500),
        InFlight(3.0, 100, 500),
        InFlight(4.0, 0, 0),
    ]
    trips, left_out = round_trips(way)
    assert ([trip.frame for trip in trips], left_out) == ([1], 1)


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


def test_a_closer_look(lossy):
    ax = draw_time_sequence(lossy, between_s=(0.040, 0.120))
    assert ax.get_xlim() == (40, 120)
    low, high = ax.get_ylim()
    assert -1000 < low <= 1 and 10_001 <= high < 12_000
    assert inspect_text(ax) == []


def test_kinds_differ_in_more_than_colour(lossy):
    ax = draw_time_sequence(lossy)
    looks = [
        (str(handle.get_marker()), handle.get_linestyle(), handle.get_markeredgewidth(), handle.get_linewidth())
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
    assert "14 round trips measured, 40 to 40 ms, median 40 ms; 2 left out because something was sent twice." in told
    assert "The handshake took 40.1 ms from SYN to ACK." in told
    told = describe_in_flight(lossy)
    assert "at most 10,000 bytes were in flight (at 54.000 ms)" in told and "2 segments went out again." in told


def test_a_twin_stops_somewhere():
    assert _some(str(n) for n in range(MOST_TOLD)) == [str(n) for n in range(MOST_TOLD)]
    assert _some("x" for _ in range(MOST_TOLD + 5))[-1] == "(5 more of these.)"
