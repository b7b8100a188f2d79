"""Ask the artists of a picture whether it is readable: nothing here looks at pixels.

``inspect_text`` draws a figure once and asks every piece of text where it ended up.
"""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from lab.charts.inks import DOTS_PER_INCH

SMALLEST = 9  # points
SLACK = 1.0  # dots: what rounding may do to two boxes that only touch


def page_of(charts, columns=1) -> Figure:
    """Draw several charts as one figure, row by row, each place as large as the largest of them wants to be."""
    sizes = [chart(ax=None).figure.get_size_inches() for chart in charts]
    wide, high = np.max(sizes, axis=0)
    rows = -(-len(charts) // columns)
    page = Figure((columns * wide, rows * high), layout="constrained", dpi=DOTS_PER_INCH)
    for place, chart in zip(page.subfigures(rows, columns, squeeze=False).flat, charts, strict=False):
        chart(ax=place.add_subplot())
    return page


def root(drawn) -> Figure:
    return drawn if isinstance(drawn, Figure) else drawn.figure.canvas.figure


def texts(drawn) -> list[Text]:
    """All text that is really drawn. Ticks outside their axis are artists too, but not drawn."""
    figure = root(drawn)
    figure.draw_without_rendering()
    tick_labels = {}
    for ax in figure.get_axes():
        for axis in (ax.xaxis, ax.yaxis):
            shown = {id(label) for tick in axis._update_ticks() for label in (tick.label1, tick.label2)}
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                for label in (tick.label1, tick.label2):
                    tick_labels[id(label)] = ax.axison and id(label) in shown
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in found if tick_labels.get(id(text), True) and _in_sight(text)]


def _in_sight(text) -> bool:
    return text.axes is None or text.axes.get_visible()


def inspect_text(drawn) -> list[str]:
    """One sentence a fault: text that is too small, cut off by the figure's edge, or under other text."""
    found = texts(drawn)
    said = [text.get_text() for text in found]
    faults = [
        f"{text.get_text()!r} is {text.get_fontsize()} points high" for text in found if _is_small(text)
    ]
    boxes = np.array([text.get_window_extent().extents for text in found]).reshape(-1, 4)  # x0, y0, x1, y1
    page = root(drawn).bbox.extents
    cut = (boxes[:, :2] < page[:2] - SLACK).any(axis=1) | (boxes[:, 2:] > page[2:] + SLACK).any(axis=1)
    faults += [f"{said[number]!r} is cut off" for number in np.flatnonzero(cut)]
    shared = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(
        boxes[:, None, :2], boxes[None, :, :2]
    )
    pairs = np.argwhere(np.triu((shared > SLACK).all(axis=2), k=1))
    return faults + [f"{said[one]!r} and {said[other]!r} overlap" for one, other in pairs]


def _is_small(text) -> bool:
    return text.get_fontsize() < SMALLEST


def grey(colour) -> float:
    """How bright a colour is on a grey printer, 0 black to 1 white (ITU-R BT.601 luma)."""
    red, green, blue, alpha = to_rgba(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) * alpha + (1 - alpha)


def contrast(text, ground) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""

    def luminance(colour):
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in to_rgba(colour)[:3]
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
