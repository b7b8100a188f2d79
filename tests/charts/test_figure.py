"""Several charts on one figure: each as it is alone, none cut. And text that is measured and cut to fit."""

import struct
from functools import partial

import pytest

from lab.charts import (
    draw_in_flight,
    draw_ladder,
    draw_round_trips,
    draw_time_sequence,
    new_axes,
    plain_text,
    to_png,
)
from lab.charts.figure import fit_text, text_width
from lab.charts.inks import SERIES
from tests.charts.looks import grey, inspect_text, page_of


@pytest.fixture(scope="module")
def some(lossy, plain):
    return [
        partial(draw_ladder, plain, max_rows=6, payload_text=plain_text),
        partial(draw_time_sequence, lossy, "initiator", title="Upload"),
        partial(draw_round_trips, lossy),
        partial(draw_in_flight, plain, "responder"),
    ]


@pytest.mark.parametrize("columns", [1, 2])
def test_several_charts_on_one_figure_are_readable(some, columns):
    page = page_of(some, columns)
    assert inspect_text(page) == []
    assert [ax.get_title(loc="left") for ax in page.get_axes()][1] == "Upload"


def test_a_picture_has_the_whole_figure_whichever_of_its_axes_is_asked(some):
    page = page_of(some[2:], columns=2)
    pixels = [int(length) for length in page.bbox.size]
    for ax in page.get_axes():
        magic, *size = struct.unpack(">8s8x2I", to_png(ax)[:24])
        assert (magic, size) == (b"\x89PNG\r\n\x1a\n", pixels)


def test_series_differ_without_colour():
    for part in ("hatch", "marker", "line"):
        assert len({str(getattr(ink, part)) for ink in SERIES}) == len(SERIES), part
    assert all(grey(ink.colour) < 0.9 for ink in SERIES)  # none is as bright as the paper


def test_text_is_measured_as_it_is_drawn():
    ax = new_axes()
    for text in ("SYN, ACK   seq 0   ack 1   len 0", "<Brandon> hello", "iiiiii", "WWWWWW\nii"):
        drawn = ax.text(0, 0, text, fontsize=10)
        ax.figure.draw_without_rendering()
        inches = drawn.get_window_extent().width / ax.figure.dpi
        assert text_width(text, 10) == pytest.approx(inches, rel=0.06)


def test_text_is_cut_to_fit():
    assert fit_text("hello", 10, 2.0) == "hello"
    cut = fit_text("hello " * 100, 10, 2.0)
    assert cut.endswith("…") and 1.7 < text_width(cut, 10) <= 2.0
    assert fit_text("a\n b\x1b[0m", 10, 2.0) == "a b·[0m"
    assert fit_text("hello", 10, 0.0) == "…"
