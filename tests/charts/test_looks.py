"""The inspection itself: it must find what is wrong, or a clean bill means nothing."""

import pytest

from lab.charts import new_axes
from tests.charts.looks import contrast, grey, inspect_text


def test_small_text_cut_text_and_text_under_text_are_found():
    ax = new_axes()
    ax.figure.set_layout_engine("none")
    ax.text(0.5, 0.5, "hello")
    ax.text(0.5, 0.5, "there", fontsize=8)
    ax.text(1.2, 0.2, "far outside")
    faults = inspect_text(ax)
    assert faults == ["'there' is 8.0 points high", "'far outside' is cut off", "'hello' and 'there' overlap"]
    assert inspect_text(new_axes()) == []


def test_brightness_and_contrast():
    assert (grey("white"), grey("black"), grey("none")) == pytest.approx((1, 0, 1))
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)
