"""What a cure hides against what it costs: the AUC that is left of the attack, over bytes or milliseconds more.

Down is better and left is cheaper. The line is the frontier: what is above and right of it costs more and hides less than
something on it. The band around 0.5 is what the permuted twin reaches: an attack inside it has learned nothing.
"""

from collections.abc import Sequence
from typing import get_args

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from lab.charts.figure import draw_key, draw_marks, scaled_axes
from lab.charts.inks import BLACK, GREY, PALE, SERIES, Style
from lab.exposure.cures import Cost, Price, frontier
from lab.exposure.experiment import WHOSE

SCALES = {
    "bytes": "bytes more than without a cure, per cent",
    "milliseconds": "milliseconds that a message waits, on average",
}


def draw_cures(
    prices: Sequence[Price],
    *,
    cost: Cost = "bytes",
    title: str = "What it hides against what it costs",
    ax: Axes | None = None,
) -> Axes:
    """Draw each cure at its cost and the AUC that it leaves, with its 95 % interval, and the frontier.

    ``prices``: of one kind of conversation (``price_cures``), without a cure first. ``cost``: the currency.
    """
    whose = _whose(prices)
    ax = scaled_axes(ax, title, SCALES[cost], f"AUC of {whose}", width=9, height=4.8)
    line = [(price.cost(cost), price.left) for price in frontier(prices, cost)]
    least, most = (pick(price.cost(cost) for price in prices) for pick in (min, max))
    room = 0.06 * (most - least) or 1.0
    line.append((most + room, line[-1][1]))
    low, high = prices[0].after.twin_interval
    band: Style = {"facecolor": PALE, "edgecolor": "#BFBFBF", "hatch": "///", "linewidth": 0}
    key: list[Artist] = [ax.axhspan(low, high, label="permuted twin:\nnothing was learned", zorder=0, **band)]
    look: Style = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (4, 3)), "drawstyle": "steps-post"}
    key += ax.plot(*zip(*line, strict=True), label="frontier", zorder=1, **look)
    for number, (price, ink) in enumerate(zip(prices, SERIES, strict=False)):
        x, y = price.cost(cost), price.after.auc
        ax.vlines(x, *price.after.interval, color=BLACK, linewidth=1.2, zorder=2)
        label = f"{_name(price)}: {y:.2f}\n{_costs(price)}"
        size: Style = {"markersize": 17 - 2.5 * number, "markeredgecolor": BLACK}  # none covers another
        key += draw_marks(ax, [x], [y], ink.marker, ink.colour, label=label, **size)
    ax.set_ylim(min(0.35, low - 0.05), 1.03)
    ax.set_xlim(least - room, most + room)
    draw_key(ax, key)
    return ax


def _whose(prices: Sequence[Price]) -> str:
    kinds = {price.after.kind for price in prices}
    if len(kinds) != 1:
        raise ValueError(f"prices of one kind of conversation are needed, not of {len(kinds)}")
    return WHOSE[kinds.pop()]


def _name(price: Price) -> str:
    return "no cure" if price.cure == "none" else price.cure


def _costs(price: Price) -> str:
    return f"{100 * price.more_bytes:+.0f} % bytes, {price.more_ms:+.0f} ms"


def describe_cures(prices: Sequence[Price]) -> str:
    """Return the text twin of ``draw_cures``, in both currencies: a sentence for each cure, and the frontiers."""
    whose = _whose(prices)
    sentences = []
    for price in prices:
        low, high = price.after.interval
        was = "" if price.cure == "none" else f", was {price.before.auc:.2f}"
        sentences.append(
            f"{_name(price)}: AUC {price.after.auc:.2f} of {whose} (95 %: {low:.2f} to {high:.2f}{was}); {_costs(price)}."
        )
    low, high = prices[0].after.twin_interval
    sentences.append(f"The permuted twin reaches {low:.2f} to {high:.2f}.")
    for cost in get_args(Cost):
        names = ", ".join(_name(price) for price in frontier(prices, cost))
        sentences.append(f"On the frontier of {cost}: {names}.")
    return "\n".join(sentences)
