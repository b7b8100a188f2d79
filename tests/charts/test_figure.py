"""A page of several charts: each as it is alone, none cut, and a twin for all."""

from functools import partial

import pytest

from lab.charts import (
    describe_page,
    draw_entropy,
    draw_in_flight,
    draw_ladder,
    draw_page,
    draw_round_trips,
    draw_time_sequence,
    new_axes,
    plain_text,
    to_png,
)
from lab.charts.figure import fit_text, text_width
from lab.charts.inks import SERIES
from tests.charts.looks import grey, inspect_text


@pytest.fixture(scope="module")
def some(lossy, plain):
    return [
        partial(draw_ladder, plain, max_rows=6, payload_text=plain_text),
        partial(draw_time_sequence, lossy, "initiator", title="Upload"),
        partial(draw_round_trips, lossy),
        partial(draw_in_flight, plain, "responder"),
    ]


@pytest.mark.parametrize("columns", [1, 2])
def test_a_page_is_readable(some, columns):
    page = draw_page(some, columns=columns, title="One flow, four pictures")
    assert inspect_text(page) == []
    assert [ax.get_title(loc="left") for ax in page.get_axes()][1] == "Upload"
    alone = [chart(ax=None).figure.get_size_inches()[1] for chart in some]
    assert page.get_size_inches()[1] >= (sum(alone) if columns == 1 else max(alone))


def test_a_page_is_a_picture_and_so_is_each_of_its_axes(some):
    page = draw_page(some[2:3])
    assert to_png(page)[:8] == to_png(page.get_axes()[0])[:8] == b"\x89PNG\r\n\x1a\n"


def test_an_odd_number_leaves_a_place_free(some):
    assert len(draw_page(some[1:4], columns=2).get_axes()) == 3
    with pytest.raises(ValueError, match="without charts"):
        draw_page([])


def test_the_twin_of_a_page_is_the_twins_of_its_charts(some, plain):
    told = describe_page([*some, partial(draw_entropy, {"plaintext": plain.from_responder.data})])
    assert (
        told.count("\n\n") == 4
        and f"(… {len(plain.rows) - 6} segments left out …)" in told
        and "bits a byte" in told
    )
    with pytest.raises(TypeError, match="not a functools.partial"):
        describe_page([lambda ax: ax])


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
