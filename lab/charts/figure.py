"""The parts that all charts share: figures, keys, text that fits, and labels that keep apart.

A chart is a function: data first, options by keyword, ``ax=None``; it returns the Axes that it drew on. It shows and
saves nothing, and sets nothing for the whole process. Without ``ax`` it makes a figure as large as its data needs
(inches); with one it takes the room it is given. A chart with two scales begins with ``scaled_axes``, a diagram laid out
in inches with ``blank_axes``.

All text is taken literally: a dollar sign from the network does not start a formula.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lab.charts.inks import BODY, DOTS_PER_INCH, ORANGE, SMALL, TITLE, Style
from lab.dissect.tcp.flow_rows import time_unit


def new_axes(width: float = 9, height: float = 4.2) -> Axes:
    """Return Axes on a figure of their own (inches); ``axes.figure.savefig(path)`` writes it."""
    return Figure((width, height), layout="constrained", dpi=DOTS_PER_INCH).add_subplot()


def scaled_axes(ax: Axes | None, title: str, x: str, y: str, *, width: float, height: float) -> Axes:
    """Return ``ax``, or new Axes of this size (inches), with a title, named scales and no frame at the top and right."""
    ax = new_axes(width, height) if ax is None else ax
    set_title(ax, title)
    ax.set_xlabel(x, fontsize=BODY)
    ax.set_ylabel(y, fontsize=BODY)
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def time_axes(
    ax: Axes | None, title: str, y: str, duration_s: float, *, since: str = "flow", height: float = 3.8
) -> tuple[Axes, float, str]:
    """Return scaled Axes over a time, how many units of this time a second has, and the name of the unit."""
    per_second, unit = time_unit(duration_s)
    x = f"time since the {since}'s first segment, {unit}"
    return scaled_axes(ax, title, x, y, width=10, height=height), per_second, unit


def blank_axes(ax: Axes | None, title: str, width: float, height: float) -> Axes:
    """Return ``ax`` or new Axes without scales, which count in inches from their top left and have room for the title."""
    width = max(width, text_width(title, TITLE))
    ax = new_axes(width + 0.15, height + (0.4 if title else 0.1)) if ax is None else ax
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    set_title(ax, title)
    return ax


def set_title(ax: Axes, title: str, *, fontsize: int = TITLE, **look: Any) -> None:
    ax.set_title(title, fontsize=fontsize, loc="left", parse_math=False, **look)


def to_png(drawn: Axes) -> bytes:
    """Return the whole figure of an Axes as a PNG image: for notebooks and web pages."""
    buffer = io.BytesIO()
    drawn.figure.canvas.figure.savefig(buffer, format="png")
    return buffer.getvalue()


def whole_numbers(axis: Axis) -> None:
    """Put ticks at whole numbers only, with thousands set apart: for what is counted."""
    axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def draw_box(ax: Axes, x: float, y: float, width: float, height: float, **look: Any) -> None:
    ax.add_patch(Rectangle((x, y), width, height, **look))


def draw_marks(
    ax: Axes, x: Sequence[float], y: Sequence[float], marker: Any, colour: str, **look: Any
) -> list[Line2D]:
    """Draw marks without a line between them."""
    return ax.plot(x, y, linestyle="none", marker=marker, color=colour, **look)


def draw_limit(
    ax: Axes, x: Sequence[float], y: Sequence[float], name: str, *, top: float, least: int
) -> tuple[list[Line2D], bool]:
    """Draw the line of what the receiver would take, unless all of it lies above ``top``: the rest would be pressed flat.

    Returns what belongs in the key, and whether there is a line. ``least``: the smallest window, in bytes.
    """
    if min(y) > top:
        note = f"window not drawn:\nfar above, never\nunder {least:,} bytes"
        return [Line2D([], [], linestyle="none", label=note)], False
    label = name + ("\n(where not far above)" if max(y) > top else "")
    look: Style = {"color": ORANGE, "linestyle": (0, (5, 2)), "linewidth": 1.6, "label": label}
    return ax.plot(x, y, drawstyle="steps-post", **look), True


def draw_key(ax: Axes, marks: Sequence[Artist]) -> None:
    """Say what the marks mean, right of the chart, where they cover nothing that is measured."""
    look: Style = {"frameon": False, "fontsize": SMALL, "borderaxespad": 0, "labelspacing": 0.9}
    legend = ax.legend(handles=marks, loc="upper left", bbox_to_anchor=(1.01, 1.0), **look)
    for text in legend.get_texts():
        text.set_parse_math(False)


def write(ax: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Write small text, centred on a place, unless ``look`` says otherwise."""
    ax.text(x, y, text, parse_math=False, **{"ha": "center", "va": "center", "fontsize": SMALL, **look})


def write_note(ax: Axes, text: str) -> None:
    """Say in the middle of the Axes why there is nothing to see."""
    write(ax, 0.5, 0.5, text, transform=ax.transAxes)


@lru_cache(maxsize=8192)
def _advance(character: str, weight: str = "normal", family: str = "sans-serif") -> float:
    """Return how far a character moves the pen, in points at size 1."""
    font = get_font(findfont(FontProperties(family=family, weight=weight)))
    if not font.get_char_index(ord(character)):
        return 1.0  # a box is drawn for it; no box is wider
    font.set_size(100, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100


def text_width(text: str, size: float, *, weight: str = "normal") -> float:
    """Return how wide the longest line of a text is in inches; ``size`` is in points."""
    lines = text.split("\n")
    return max(sum(_advance(character, weight) for character in line) for line in lines) * size / 72


def fit_text(text: str, size: float, width: float, *, family: str = "sans-serif") -> str:
    """Return a text on one line, without control characters and cut to ``width`` inches ("…" where it was cut)."""
    text = "".join(c if c.isprintable() else "\N{MIDDLE DOT}" for c in " ".join(text.split()))
    room, used, fits = width * 72 / size, 0.0, 0
    for place, character in enumerate(text):
        used += _advance(character, family=family)
        if used > room:
            return text[:fits].rstrip() + "…"
        if used + _advance("…", family=family) <= room:
            fits = place + 1
    return text


def spread(wanted: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Return places for labels: as near as may be to those ``wanted`` (rising), and at least ``distance`` apart.

    All are between ``low`` and ``high`` if there is room. Labels that are too near form a block, which stands where its
    members want it on average; blocks that collide become one (isotonic regression, pool adjacent violators).
    """
    blocks: list[list[float]] = []
    for number, place in enumerate(wanted):
        blocks.append([place - number * distance])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    starts = [fmean(block) for block in blocks for _ in block]
    last_start = max(low, high - (len(wanted) - 1) * distance)
    return [min(max(start, low), last_start) + number * distance for number, start in enumerate(starts)]
