"""The chart of what cures hide and cost: each at its place, a true frontier, and both currencies in its twin."""

from dataclasses import replace

import pytest

from lab.charts import describe_cures, draw_cures
from lab.exposure.cures import frontier
from tests.charts.looks import grey, inspect_text


@pytest.mark.parametrize("cost", ["bytes", "milliseconds"])
def test_each_cure_stands_at_its_cost_with_its_interval(prices, cost):
    ax = draw_cures(prices, cost=cost)
    marks = [line for line in ax.lines if line.get_marker() != "None"]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks]
    assert places == [(price.cost(cost), price.after.auc) for price in prices]
    assert (
        len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == len(prices)
    )
    assert len({round(grey(mark.get_color()), 2) for mark in marks}) == len(prices)
    left, right = ax.get_xlim()
    assert all(left < x < right for x, _ in places)
    assert inspect_text(ax) == []
    assert "of this bot" in ax.get_ylabel()


def test_the_frontier_has_no_bad_bargain(prices):
    assert [price.cure for price in frontier(prices, "bytes")] == ["batching", "padding", "clock"]
    assert [price.cure for price in frontier(prices, "milliseconds")] == ["chaff", "clock"]
    for cost in ("bytes", "milliseconds"):
        on_it = frontier(prices, cost)
        for price in set(prices) - set(on_it):
            assert any(one.cost(cost) <= price.cost(cost) and one.left <= price.left for one in on_it)


def test_below_a_half_nothing_is_hidden_better(prices):
    lucky = replace(prices[-1], after=replace(prices[-1].after, auc=0.4))
    fair = replace(prices[0], after=replace(prices[0].after, auc=0.5))
    assert frontier([lucky, fair], "bytes") == [fair]


def test_the_twin_has_both_currencies(prices):
    text = describe_cures(prices)
    assert "padding: AUC 0.70 of this bot (95 %: 0.64 to 0.76, was 0.95); +60 % bytes, +0 ms." in text
    assert "On the frontier of bytes: batching, padding, clock." in text
    assert "On the frontier of milliseconds: chaff, clock." in text


def test_prices_of_two_kinds_do_not_go_together(prices):
    with pytest.raises(ValueError, match="one kind"):
        draw_cures([*prices, replace(prices[0], after=replace(prices[0].after, kind="typing"))])
