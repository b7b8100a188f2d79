"""What all charts share: figures, inks, sizes of text, and several charts on one page.

A chart is a function: data first, options by keyword, ``ax=None``; it returns the Axes that it drew on. Nothing is
shown, saved or set for the whole process in here. Without ``ax`` a chart makes a figure as large as its data needs
(inches); with one it takes the room it is given.

Series differ in hatching, marker or kind of line as well as in colour, because a third of the paper that a class
sees is printed in grey. The colours are those of Okabe and Ito, chosen for people who see fewer of them ("Color
Universal Design", 2008). No text is smaller than 9 points.
"""

import inspect
import io
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator

BLACK, GREY, PALE = "#000000", "#595959", "#D9D9D9"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

SMALL, BODY, TITLE = 9, 10, 13  # points
DOTS_PER_INCH = 150


class Ink(NamedTuple):
    """How a series looks: four ways to tell it from the next one, three of which survive a grey printer."""

    colour: str
    hatch: str
    marker: str
    line: str | tuple


SERIES = (
    Ink(VERMILLION, "", "o", "-"),
    Ink(BLUE, "//", "s", "--"),
    Ink(GREEN, "..", "^", "-."),
    Ink(PURPLE, "xx", "D", ":"),
    Ink(ORANGE, "\\\\", "v", (0, (6, 2, 1, 2, 1, 2))),
    Ink(SKY, "++", "P", (0, (8, 3))),
    Ink(YELLOW, "oo", "X", (0, (3, 1))),
    Ink(GREY, "||", "*", (0, (1, 3))),
)


def new_axes(width: float = 9, height: float = 4.2) -> Axes:
    """Axes on a figure of its own (inches); ``axes.figure.savefig(path)`` writes it."""
    return Figure(figsize=(width, height), layout="constrained", dpi=DOTS_PER_INCH).add_subplot()


def to_png(drawn: Axes | Figure) -> bytes:
    """The whole figure that an Axes stands on, or a page, as a PNG image: for notebooks and pages."""
    figure = drawn if isinstance(drawn, Figure) else drawn.figure.canvas.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


@lru_cache(maxsize=8192)
def _advance(character: str, weight: str, family: str) -> float:
    """How far CHARACTER moves the pen, in points at size 1."""
    font = get_font(findfont(FontProperties(family=family, weight=weight)))
    if not font.get_char_index(ord(character)):
        return 1.0  # a box is drawn for it; no box is wider
    font.set_size(100, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100


def text_width(text: str, size: float, *, weight: str = "normal", family: str = "sans-serif") -> float:
    """How wide TEXT is in inches, at SIZE points: the longest of its lines."""
    lines = text.split("\n")
    return max(sum(_advance(character, weight, family) for character in line) for line in lines) * size / 72


def fit_text(text: str, size: float, width: float, *, family: str = "sans-serif") -> str:
    """TEXT on one line and without control characters; if that does not fit into WIDTH inches, as much of its
    beginning as does, and "…".
    """
    text = "".join(
        character if character.isprintable() else "\N{MIDDLE DOT}" for character in " ".join(text.split())
    )
    room, used, fits = width * 72 / size, 0.0, 0
    for place, character in enumerate(text):
        used += _advance(character, "normal", family)
        if used > room:
            return text[:fits].rstrip() + "…"
        if used + _advance("…", "normal", family) <= room:
            fits = place + 1
    return text


def counted(number: int, what: str) -> str:
    """ "1 segment", "2 segments"; thousands are set apart."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def tidy(ax: Axes, title: str, x: str = "", y: str = "") -> None:
    """Title, names of the axes, and no frame where nothing is measured. For charts with two measured axes."""
    ax.set_title(title, fontsize=TITLE, loc="left")
    ax.set_xlabel(x, fontsize=BODY)
    ax.set_ylabel(y, fontsize=BODY)
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)


def whole_numbers(axis) -> None:
    """Ticks at whole numbers only, thousands set apart: for what is counted."""
    axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def side_key(ax: Axes, known: Sequence) -> None:
    """What the marks mean, right of the chart, where nothing that is measured can lie under it."""
    ax.legend(
        handles=list(known),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0,
        labelspacing=0.9,
    )


def draw_key(ax: Axes, marks: Sequence, x: float, y: float) -> None:
    """What the marks mean, as one row of samples with their names, on an Axes that counts in inches.

    ``marks``: with ``meaning``, ``colour``, ``line``, ``width`` (points), ``marker`` and ``hollow``.
    """
    for mark in marks:
        face = "white" if mark.hollow else mark.colour
        ax.plot([x, x + 0.35], [y, y], color=mark.colour, linestyle=mark.line, linewidth=mark.width)
        ax.plot([x], [y], marker=mark.marker, color=mark.colour, markerfacecolor=face, markersize=7)
        ax.text(x + 0.42, y, mark.meaning, ha="left", va="center", fontsize=SMALL)
        x += 0.42 + text_width(mark.meaning, SMALL) + 0.3


def draw_page(
    charts: Sequence[Callable[..., Axes]], *, columns: int = 1, title: str = "", width: float | None = None
) -> Figure:
    """Several charts as one figure, row by row, each as high as it wants to be.

    ``charts``: functions that take ``ax``, best made with ``functools.partial``: ``partial(draw_ladder, flow)``. Each
    is drawn twice: alone, to learn how large it wants to be, and then in its place. ``width``: of the figure in inches,
    by default as wide as the widest row of charts needs.
    """
    if not charts:
        raise ValueError("a page without charts")
    wanted = [chart(ax=None).figure.get_size_inches() for chart in charts]
    rows = [range(first, min(first + columns, len(charts))) for first in range(0, len(charts), columns)]
    heights = [max(wanted[number][1] for number in row) for row in rows]
    widths = [
        max(wanted[number][0] for number in range(column, len(charts), columns)) for column in range(columns)
    ]
    above = 0.45 if title else 0.0
    page = Figure(
        figsize=(width or sum(widths), sum(heights) + above), layout="constrained", dpi=DOTS_PER_INCH
    )
    if title:
        page.suptitle(title, fontsize=TITLE + 2, x=0.01, ha="left")
    places = page.subfigures(len(rows), columns, squeeze=False, height_ratios=heights, width_ratios=widths)
    for number, chart in enumerate(charts):
        chart(ax=places[number // columns][number % columns].add_subplot())
    return page


def describe_page(charts: Sequence[partial]) -> str:
    """The text twin of ``draw_page``: the twins of its charts, one after the other.

    ``charts``: as for ``draw_page``, each a ``functools.partial`` of one of the kit's ``draw_`` functions. TypeError
    for anything else: nobody can say in words what an unknown function draws.
    """
    told = []
    for chart in charts:
        drawn_by = getattr(chart, "func", None)
        name = getattr(drawn_by, "__name__", "").replace("draw_", "describe_")
        twin = getattr(inspect.getmodule(drawn_by), name, None)
        if drawn_by is None or twin is None or twin is drawn_by:
            raise TypeError(f"{chart!r} is no functools.partial of a draw_ function with a text twin")
        known = inspect.signature(twin).parameters
        told.append(
            twin(*chart.args, **{name: value for name, value in chart.keywords.items() if name in known})
        )
    return "\n\n".join(told)
