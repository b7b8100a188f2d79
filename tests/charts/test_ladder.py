"""The ladder says what the capture says, in marks that grey paper keeps apart."""

import re

import pytest

from lab.charts import describe_ladder, draw_ladder, new_axes, plain_text
from lab.charts.figure import spread
from lab.charts.ladder import MARKS
from lab.dissect.tcp.flow_rows import LeftOut, ladder_rows, time_unit
from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.segments import read_segments
from tests.charts.looks import inspect_text
from tests.dissect.packets import ACK, PSH, RST, SYN, ipv6, link, pcap, tcp


def arrows(ax):
    return [line.get_gid() for line in ax.lines if line.get_gid()]


def said(ax):
    return [text.get_text() for text in ax.texts]


def test_the_handshake_as_the_report_has_it(plain):
    ax = draw_ladder(plain, max_rows=6)
    assert arrows(ax)[:4] == [
        "frame 1: handshake",
        "frame 2: handshake",
        "frame 3: handshake",
        "frame 4: push",
    ]
    written = said(ax)
    for label in ("SYN   seq 0   len 0", "SYN, ACK   seq 0   ack 1   len 0", "ACK   seq 1   ack 1   len 0"):
        assert label in written


def test_arrows_point_from_the_sender(plain):
    ax = draw_ladder(plain, max_rows=4)
    [syn, answer] = [
        line for line in ax.lines if line.get_gid() in ("frame 1: handshake", "frame 2: handshake")
    ]
    assert syn.get_xdata()[0] < syn.get_xdata()[1] and answer.get_xdata()[0] > answer.get_xdata()[1]
    assert syn.get_ydata()[0] == syn.get_ydata()[1] < answer.get_ydata()[0]  # level, and later is lower


@pytest.mark.parametrize("true_to_time", [False, True])
@pytest.mark.parametrize("which", ["plain", "encrypted", "lossy"])
def test_nothing_overlaps_or_is_cut(which, true_to_time, request):
    flow = request.getfixturevalue(which)
    ax = draw_ladder(flow, true_to_time=true_to_time, max_rows=50, payload_text=plain_text)
    assert inspect_text(ax) == []


def test_a_long_flow_is_cut_in_its_middle_and_says_so(plain):
    rows = ladder_rows(plain, max_rows=9)
    assert [isinstance(row, LeftOut) for row in rows] == [False] * 6 + [True] + [False] * 3
    left_out = len(plain.rows) - 9
    assert rows[6].count == left_out
    assert rows[0].frame == 1 and rows[-1].frame == plain.segments.number[plain.rows[-1]]
    assert f"… {left_out} segments left out …" in said(draw_ladder(plain, max_rows=9))
    assert f"(… {left_out} segments left out …)" in describe_ladder(plain, max_rows=9)
    assert not any(isinstance(row, LeftOut) for row in ladder_rows(plain, max_rows=len(plain.rows)))


def test_chosen_frames_only(plain):
    frames = plain.segments.number[plain.rows].tolist()
    chosen = frames[:3] + frames[7:9]
    ax = draw_ladder(plain, frames=chosen)
    assert [int(re.findall(r"\d+", name)[0]) for name in arrows(ax)] == chosen
    left_out = ["… 4 segments left out …", f"… {len(frames) - 9} segments left out …"]
    assert [text for text in said(ax) if "left out" in text] == left_out
    with pytest.raises(ValueError, match="no frame 100000"):
        draw_ladder(plain, frames=[1, 100_000])


def test_true_to_time_is_true_to_time(lossy):
    ax = draw_ladder(lossy, true_to_time=True, max_rows=100)
    lines = {
        int(re.findall(r"\d+", line.get_gid())[0]): line.get_ydata()[0] for line in ax.lines if line.get_gid()
    }
    times = {row.frame: row.time_s for row in ladder_rows(lossy, max_rows=100)}
    first, last = min(times), max(times)
    scale = (lines[last] - lines[first]) / (times[last] - times[first])
    for frame, time in times.items():
        assert lines[frame] == pytest.approx(lines[first] + (time - times[first]) * scale)


def test_what_went_wrong_is_remarked(lossy):
    written = said(draw_ladder(lossy, max_rows=100))
    assert written.count("Fast Retransmission") == 1 and written.count("Retransmission") == 1
    assert written.count("Dup ACK") == 4 and "ZeroWindow" in written
    assert "; Fast Retransmission" in describe_ladder(lossy, max_rows=100)


def test_payload_text_comes_from_the_caller(plain):
    def direction(payload, from_initiator):
        return (
            f"{len(payload)} from {'client' if from_initiator else 'server'}" if len(payload) != 7 else None
        )

    written = said(draw_ladder(plain, max_rows=12, payload_text=direction))
    assert "21 from client" in written and "25 from server" in written and "7 from client" not in written
    assert "text '!ShowUserHasConnected'" in describe_ladder(plain, payload_text=plain_text)
    assert plain_text(b"hi\x00\xff~") == "hi..~"
    long = draw_ladder(plain, frames=[4], payload_text=lambda payload, _: "word\n" * 300)
    assert inspect_text(long) == [] and any(
        text.endswith("…") and "\n" not in text for text in said(long)[:-1]
    )


def test_payloads_from_the_network_cannot_break_the_picture(plain):
    for hostile in ("$\\frac$ $x", "\x00\x1b[31m\u202e\n\r", "€ 5 $", "", "\\", "a" * 100_000):
        for true_to_time in (False, True):
            ax = draw_ladder(
                plain,
                frames=[4],
                true_to_time=true_to_time,
                payload_text=lambda payload, _, text=hostile: text,
            )
            assert inspect_text(ax) == []


def test_marks_differ_without_colour():
    looks = [(str(mark.line), mark.width, mark.marker) for mark in MARKS.values()]
    assert (
        len({marker for *_, marker in looks} | {"s"}) >= len(looks) - 1
    )  # data with and without PSH share the square
    assert len(set(looks)) == len(looks)
    assert (
        MARKS["push"].is_hollow != MARKS["data"].is_hollow and MARKS["push"].width - MARKS["data"].width >= 1
    )


def test_ipv6_and_a_reset_fit(tmp_path):
    client, server = "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    steps = [
        (client, 0, 0, SYN, b""),
        (server, 0, 1, SYN | ACK, b""),
        (client, 1, 1, ACK, b""),
        (client, 1, 1, PSH | ACK, b"hello"),
        (server, 1, 6, RST | ACK, b""),
    ]
    frames = []
    for number, (source, seq, ack, flags, payload) in enumerate(steps):
        ours, theirs = (
            ((client, 50_000), (server, 9898)) if source == client else ((server, 9898), (client, 50_000))
        )
        segment = tcp(
            ours[0],
            theirs[0],
            ours[1],
            theirs[1],
            1000 + seq,
            1000 + ack if ack else 0,
            flags,
            payload=payload,
        )
        frame = link(1, ipv6(ours[0], theirs[0], segment))
        frames.append((number * 10**9, frame, len(frame)))
    (tmp_path / "reset.pcap").write_bytes(pcap(frames))
    flow = find_flow(read_segments(tmp_path / "reset.pcap"), 0)
    for true_to_time in (False, True):
        ax = draw_ladder(flow, true_to_time=true_to_time)
        assert arrows(ax)[-1] == "frame 5: reset"
        assert inspect_text(ax) == []
    assert "In the end: reset: RST from [2001:db8:aaaa" in describe_ladder(flow)


def test_the_twin_names_every_segment(plain):
    lines = describe_ladder(plain, max_rows=1000, payload_text=plain_text).splitlines()
    assert lines[0].startswith(
        f"Flow 0: {len(plain.rows)} segments between {plain.initiator} (initiator) and "
    )
    assert len(lines) == 1 + len(plain.rows) + 1
    assert "initiator to responder: PSH, ACK, seq 1, ack 1, len 7 (data, PSH), text 'Brandon'" in lines[4]
    assert lines[-1].startswith("In the end: closed: FIN from")


def test_it_draws_on_the_axes_it_is_given(plain):
    ax = new_axes(10, 10)
    assert draw_ladder(plain, ax=ax, title="") is ax and ax.get_title(loc="left") == ""


def test_labels_keep_apart_and_stay_near():
    places = spread([0.0, 0.01, 0.02, 5.0, 5.01, 9.99], 1.0, 0.0, 10.0)
    gaps = [after - before for before, after in zip(places, places[1:], strict=False)]
    assert min(gaps) >= 1 - 1e-9 and places[0] >= 0 and places[-1] <= 10
    assert abs(places[3] - 5) <= 0.5 and abs(places[4] - 5) <= 1
    assert spread([1.0, 4.0], 1.0, 0.0, 10.0) == [1.0, 4.0]


def test_time_units():
    assert [time_unit(duration)[1] for duration in (0, 0.0005, 0.01, 1.9, 60)] == [
        "µs",
        "µs",
        "ms",
        "ms",
        "s",
    ]


@pytest.mark.parametrize("true_to_time", [False, True])
def test_what_the_manifest_says_was_forged_has_its_own_mark_and_nothing_else_has(plain, true_to_time):
    ax = draw_ladder(plain, true_to_time=true_to_time, max_rows=6, forged=[4])
    assert arrows(ax)[3] == "frame 4: forged" and sum("forged" in arrow for arrow in arrows(ax)) == 1
    assert "forged" in said(ax), "in the key"
    assert not [arrow for arrow in arrows(draw_ladder(plain, max_rows=6)) if "forged" in arrow]
    lines = describe_ladder(plain, max_rows=6, forged=[4]).splitlines()
    assert [line.split(",")[0] for line in lines if "(forged)" in line] == ["Frame 4"]
