"""Finds the charts, and sets several of them on one page.

A chart is a module of this package that has ``draw_NAME`` and ``describe_NAME``, where ``NAME`` is the module's own name.
Nothing lists them by hand: a new module is found by the report, the pages and the tests (lab/README.md, "Add a chart").
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.charts.inks import DOTS_PER_INCH, TITLE, Style


@dataclass(frozen=True)
class Chart:
    """One chart: ``draw`` returns the Axes, ``describe`` the same in words."""

    name: str
    draw: Callable[..., Axes]
    describe: Callable[..., str]

    def in_words(self, *data: Any, **options: Any) -> str:
        """Return the text twin of ``draw(*data, **options)``. It ignores options that only change the looks."""
        known = inspect.signature(self.describe).parameters
        return self.describe(*data, **{name: value for name, value in options.items() if name in known})


@cache
def find_charts() -> dict[str, Chart]:
    """Return the charts of this package by name. Raises AttributeError for one without its text twin."""
    charts = {}
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{found.name}")
        if draw := getattr(module, f"draw_{found.name}", None):
            charts[found.name] = Chart(found.name, draw, getattr(module, f"describe_{found.name}"))
    return charts


def draw_page(
    charts: Sequence[Callable[..., Axes]], *, columns: int = 1, title: str = "", width: float | None = None
) -> Figure:
    """Draw several charts as one figure, row by row, each as high as it wants to be.

    ``charts``: functions that take ``ax``, best made with ``functools.partial``: ``partial(draw_ladder, flow)``. Each
    is drawn twice: alone, to learn how large it wants to be, and then in its place. ``width``: of the figure in inches,
    by default as wide as the widest row of charts needs.
    """
    if not charts:
        raise ValueError("a page without charts")
    wide, high = zip(*map(_size, charts), strict=True)
    heights = [max(high[first : first + columns]) for first in range(0, len(charts), columns)]
    widths = [max(wide[column::columns]) for column in range(min(columns, len(charts)))]
    above = 0.45 if title else 0.0
    page = Figure((width or sum(widths), sum(heights) + above), layout="constrained", dpi=DOTS_PER_INCH)
    if title:
        page.suptitle(title, fontsize=TITLE + 2, x=0.01, ha="left")
    ratios: Style = {"height_ratios": heights, "width_ratios": widths}
    places = page.subfigures(len(heights), len(widths), squeeze=False, **ratios)
    for place, chart in zip(places.flat, charts, strict=False):
        chart(ax=place.add_subplot())
    return page


def _size(chart: Callable[..., Axes]) -> tuple[float, float]:
    """Return the width and height in inches that a chart chooses for itself."""
    figure = chart(ax=None).figure
    return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi


def describe_page(charts: Sequence[partial[Axes]]) -> str:
    """Return the text twin of ``draw_page``: the twins of its charts, one after the other.

    ``charts``: as for ``draw_page``, each a ``functools.partial`` of one of the kit's ``draw_`` functions. TypeError
    for anything else, because only these have a twin.
    """
    by_function = {chart.draw: chart for chart in find_charts().values()}
    words = []
    for chart in charts:
        found = by_function.get(chart.func) if isinstance(chart, partial) else None
        if found is None:
            raise TypeError(f"{chart!r} is not a functools.partial of a draw_ function with a text twin")
        words.append(found.in_words(*chart.args, **chart.keywords))
    return "\n\n".join(words)
