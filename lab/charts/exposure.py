"""What an eavesdropper recovers of the same conversation, class by class and variant by variant.

Up to three variants are bars, whose lengths are the shares; more are a table, with a column for each, or a row where
there are few classes; a cell is the darker the more was recovered. Either way each number is written where it is
drawn: the counts, since 3 of 3 shows less than 300 of 300; the skill where a guess gets something right, too; and how
many bits better than chance a guess is. A class of which there was nothing to recover is "n/a", which is not the same
as 0 %. What is known without being read stands below: "0 % read; 3 of 3 votes guessed". The class *integrity* is about
somebody who acts: of the bits of a line, those that can be changed unnoticed (``lab.harness.integrity``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from lab.charts.figure import draw_box, new_axes, scaled_axes, set_title, text_width
from lab.charts.inks import BLACK, BODY, GREY, PALE, SERIES, SMALL, TITLE, VERMILLION, Style
from lab.dissect.text import counted
from lab.exposure.scoring import LABELS, Score, guessed

MOST_BARS = 3  # variants; with more, bars side by side are too many to compare
BAR_TEXT = 11  # points
TITLE_TEXT = "What an eavesdropper learns from the same chat"
RECOVERED = "recovered exactly by someone who only listens"
BITS = "bits: guessed better than chance, read or not"
SKILL = "skill: the share beyond what presence alone shows; n/a: nothing is beyond it"
SHADES = LinearSegmentedColormap.from_list("exposed", ["#FFFFFF", "#F6CDA8", VERMILLION])

Scores = Mapping[str, Sequence[Score]]


def detail(score: Score) -> list[str]:
    """Return what is written beside the share: counts, skill where a guess gets something, false claims."""
    if not score.total:
        return [f"{score.wrong} false"] if score.wrong else []
    parts = list(filter(None, [f"{score.right} of {score.total}", score.skill_words]))
    if score.leak:
        parts.append(f"{'≥ ' * score.leak.at_least}{score.leak.bits:.1f} bits")
    return parts + ([f"{score.wrong} false"] if score.wrong else [])


def _below(scores: Scores, first: str) -> str:
    """Return the text below the chart."""
    given = [score for of_variant in scores.values() for score in of_variant]
    notes = {BITS: any(score.leak for score in given), SKILL: any(score.baseline for score in given)}
    return "\n".join([*guessed(scores), first, *(note for note, is_needed in notes.items() if is_needed)])


def draw_exposure(scores: Scores, *, title: str = TITLE_TEXT, ax: Axes | None = None) -> Axes:
    """Draw the share of the conversation that an eavesdropper recovers, per class and variant.

    ``scores``: variant ("plaintext", "TLS 1.3", ...) -> its scores, all of the same classes, in the order drawn.
    """
    labels = ["\n".join(LABELS.get(kind, (kind,))) for kind in _classes(scores)]
    return (_draw_bars if len(scores) <= MOST_BARS else _draw_table)(scores, labels, title, ax)


def _classes(scores: Scores) -> list[str]:
    """Return the classes that all variants are scored in. Raises ValueError."""
    kinds = [[score.kind for score in of_variant] for of_variant in scores.values()]
    if not kinds or not kinds[0]:
        raise ValueError("no scores to draw")
    if any(other != kinds[0] for other in kinds):
        raise ValueError(f"the variants are scored in different classes: {kinds}")
    return kinds[0]


def _draw_bars(scores: Scores, labels: list[str], title: str, ax: Axes | None) -> Axes:
    height = max(4.2, 1.2 + 0.25 * len(labels) * len(scores))
    ax = scaled_axes(ax, title, "", "", width=9, height=height)
    thickness = 0.8 / len(scores)
    widest = 0.0  # inches, of the numbers
    for number, (variant, of_variant) in enumerate(scores.items()):
        ink, shift = SERIES[number % len(SERIES)], (number - (len(scores) - 1) / 2) * thickness
        look: Style = {"color": ink.colour, "hatch": ink.hatch, "edgecolor": BLACK, "linewidth": 0.8}
        places = [place + shift for place in range(len(labels))]
        shares = [100 * score.share for score in of_variant]
        ax.barh(places, shares, thickness * 0.9, label=variant, **look)
        for place, share, score in zip(places, shares, of_variant, strict=True):
            # The numbers name their variant too: a legend would be far from a bar of no length.
            counts = f"  ({'; '.join(detail(score))})" if detail(score) else " (there were none)"
            text = f"{variant}: {score.percent}{counts}"
            _write_beside(ax, share, place, text, 6, 0, va="center", fontsize=BAR_TEXT, ground="white")
            widest = max(widest, text_width(text, BAR_TEXT))
    ax.set_yticks(range(len(labels)), labels, fontsize=BAR_TEXT)
    ax.invert_yaxis()
    ax.axvline(100, color="#999999", linewidth=0.8, linestyle=":", zorder=0)
    label_width = max(text_width(label, BAR_TEXT) for label in labels)
    room = ax.figure.bbox.width / ax.figure.dpi - label_width - 0.35
    beside_a_full_bar = 100 * room / max(room - widest - 0.2, 0.3 * room)
    ax.set_xlim(0, max(155.0, beside_a_full_bar))
    ax.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)], fontsize=BODY)
    ax.set_xlabel(_below(scores, RECOVERED), fontsize=BAR_TEXT, loc="left")
    return ax


def _draw_table(scores: Scores, labels: list[str], title: str, ax: Axes | None) -> Axes:
    headings, sides = [_two_lines(variant) for variant in scores], labels
    if is_turned := len(scores) > 2 * len(labels):  # else it would be too wide to read
        headings, sides = sides, headings
    explained = f"per cent: {RECOVERED} (darker is more)"
    if any(score.wrong for of_variant in scores.values() for score in of_variant):
        explained += "\nfalse: claimed by the eavesdropper, but not true"
    explained = _below(scores, explained)
    if ax is None:
        small = ["\n".join(detail(score)) for of_variant in scores.values() for score in of_variant]
        cell = max(
            0.85,
            max(text_width(text, SMALL) for text in small) + 0.2,
            max(text_width(heading, BODY, weight="bold") for heading in headings) + 0.15,
        )
        below = max(text_width(explained, BODY), text_width(title, TITLE)) + 0.1
        width = 0.5 + max(text_width(side, BODY) for side in sides) + max(cell * len(headings), below)
        lines = max(text.count("\n") for text in small)
        ax = new_axes(width, 1.3 + (0.6 + 0.15 * lines) * len(sides))
    for number, (variant, of_variant) in enumerate(scores.items()):
        for place, score in enumerate(of_variant):
            column, row = (place, number) if is_turned else (number, place)
            _draw_cell(ax, column, row, score, f"{variant}: {score.kind}")
    ax.set_xlim(0, len(headings))
    ax.set_ylim(len(sides), 0)
    columns, rows = ([place + 0.5 for place in range(len(names))] for names in (headings, sides))
    ax.set_xticks(columns, headings, fontsize=BODY, weight="bold", parse_math=False)
    ax.set_yticks(rows, sides, fontsize=BODY, parse_math=False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(explained, fontsize=BODY, loc="left")
    set_title(ax, title, pad=10)
    return ax


def _draw_cell(ax: Axes, column: int, row: int, score: Score, name: str) -> None:
    """Draw a cell: its share in large letters above the numbers in small ones; hatched if there was nothing."""
    look: Style = {"facecolor": SHADES(score.share), "edgecolor": GREY}
    ground, weight = "none", "bold"
    if not score.total:
        look = {"facecolor": PALE, "edgecolor": "#BFBFBF", "hatch": "///"}
        ground, weight = PALE, "normal"
    draw_box(ax, column, row, 1, 1, linewidth=0.8, label=name, **look)
    small, x, y = "\n".join(detail(score)), column + 0.5, row + 0.5
    lift = 5.5 * small.count("\n")
    va, up = ("bottom", 2 + lift) if small else ("center", 0)
    _write_beside(
        ax, x, y, score.percent, 0, up, ha="center", va=va, fontsize=12, weight=weight, ground=ground
    )
    if small:
        _write_beside(ax, x, y, small, 0, lift, ha="center", va="top", fontsize=SMALL, ground=ground)


def _write_beside(
    ax: Axes, x: float, y: float, text: str, right: float, up: float, *, ground: str, **look: Any
) -> None:
    """Write some points beside a place, on a ground of its own."""
    box = {"facecolor": ground, "edgecolor": "none", "pad": 0.5 if ground == "white" else 1.5}
    place: Style = {"xy": (x, y), "xytext": (right, up), "textcoords": "offset points"}
    ax.annotate(text, bbox=box, parse_math=False, **place, **look)


def _two_lines(text: str) -> str:
    """Break a text at the space that makes its two lines most alike; a version number stays with its name's end."""
    spaces = [place for place, character in enumerate(text) if character == " "]
    if not spaces or len(text) <= 8:
        return text
    place = min(spaces, key=lambda place: max(place, len(text) - place - 1))
    return text[:place] + "\n" + text[place + 1 :]


def describe_exposure(scores: Scores) -> str:
    """Return the text twin of ``draw_exposure``: a sentence for each variant."""
    _classes(scores)
    sentences = []
    for variant, of_variant in scores.items():
        parts = [_sentence(score) for score in of_variant if score.total and score.kind != "integrity"]
        sentence = f"{variant}: the eavesdropper recovers " + (", ".join(parts) or "nothing")
        if nothing := [_name(score) for score in of_variant if not score.total]:
            sentence += f"; there were no {', '.join(nothing)} to recover"
        for score in of_variant:
            if score.kind == "integrity" and score.total:
                sentence += (
                    f"; {score.right} of {counted(score.total, 'bit')} of a line can be changed unnoticed"
                )
        false_claims = counted(sum(score.wrong for score in of_variant), "false claim")
        sentences.append(f"{sentence}; {false_claims}.")
    return "\n".join(sentences + [f"{sentence}." for sentence in guessed(scores)])


def _name(score: Score) -> str:
    return LABELS.get(score.kind, (score.kind,))[0]


def _sentence(score: Score) -> str:
    leak = str(score.leak or "")
    measures = "; ".join(filter(None, [f"95 %: {score.interval_words}", score.skill_words, leak]))
    return f"{score.right} of {score.total} {_name(score)} ({score.percent}, {measures})"
