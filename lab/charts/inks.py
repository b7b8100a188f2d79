"""The inks, sizes and styles of the charts.

Series differ in hatching, marker or line style as well as in colour, because many readers see them printed in grey. The
colours are those of Okabe and Ito, chosen for colour-blind readers ("Color Universal Design", 2008). No text is smaller
than 9 points.
"""

from typing import Any, NamedTuple

BLACK, GREY, PALE = "#000000", "#595959", "#F2F2F2"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

SMALL, BODY, TITLE = 9, 10, 13  # points
DOTS_PER_INCH = 150

Style = dict[str, Any]  # keyword arguments of an artist
LineStyle = str | tuple[int, tuple[int, ...]]  # matplotlib's: a name, or (offset, lengths of dashes and gaps)


class Ink(NamedTuple):
    """How a series looks: four differences to the next one, three of which survive a grey printer."""

    colour: str
    hatch: str
    marker: str
    line: LineStyle


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
