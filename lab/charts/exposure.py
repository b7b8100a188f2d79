"""What an eavesdropper recovers of the same conversation, class by class and variant by variant.

Up to three variants are bars, whose lengths are the shares; more are a table whose cells are the darker the more was
recovered. Either way each number is written where it is drawn. A class of which there was nothing to recover is "n/a",
which is not the same as 0 %.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from lab.charts.figure import BODY, GREY, SERIES, SMALL, TITLE, VERMILLION, new_axes, text_width

MOST_BARS = 3  # variants; with more, bars side by side are too many to compare
LABELS = {
    "names": "names of the users",
    "lines": "lines said, with speaker",
    "bytes": "bytes of these lines",
    "identities": "identities\nnames of the users",
    "content": "content\nlines said, with speaker",
    "secrets": "secrets\npasswords, canary words",
    "presence": "presence\njoins and leaves",
    "relations": "relations\nwho talks to whom",
    "metadata": "metadata\ncounts, lengths, times, hosts",
}
TITLE_TEXT = "What an eavesdropper reads of the same chat"
SHADES = LinearSegmentedColormap.from_list("exposed", ["#FFFFFF", "#F6CDA8", VERMILLION])


class Scored(Protocol):
    """One class of one variant, as ``lab.exposure`` scores it: RIGHT of TOTAL recovered, WRONG more claimed."""

    kind: str
    right: int
    wrong: int
    total: int

    @property
    def share(self) -> float: ...


def percent(score: Scored) -> str:
    """The share in whole per cent, never rounded to all or to nothing; "n/a" where there was nothing to recover."""
    if not score.total:
        return "n/a"
    if 0 < score.right < score.total:
        rounded = min(99, max(1, round(100 * score.share)))
        return f"{rounded} %"
    return f"{100 * score.share:.0f} %"


def draw_exposure(
    scores: Mapping[str, Sequence[Scored]],
    *,
    form: str = "auto",
    title: str = TITLE_TEXT,
    ax: Axes | None = None,
) -> Axes:
    """Share of the conversation that an eavesdropper recovers, per class and variant.

    ``scores``: variant ("plaintext", "TLS 1.3", ...) -> its scores, all with the same classes in the same order, which
    is the order drawn. ``form``: "bars", "table", or "auto", which is bars for up to three variants.
    """
    scores = _checked(scores)
    if form not in ("auto", "bars", "table"):
        raise ValueError(f"form {form!r}; there are 'auto', 'bars' and 'table'")
    if form == "auto":
        form = "bars" if len(scores) <= MOST_BARS else "table"
    return (_draw_bars if form == "bars" else _draw_table)(scores, title, ax)


def _checked(scores: Mapping[str, Sequence[Scored]]) -> dict[str, list[Scored]]:
    whole = {variant: list(of_variant) for variant, of_variant in scores.items()}
    kinds = [[score.kind for score in of_variant] for of_variant in whole.values()]
    if not kinds or not kinds[0]:
        raise ValueError("no scores to draw")
    if any(other != kinds[0] for other in kinds):
        raise ValueError(f"the variants are scored in different classes: {kinds}")
    return whole


def _draw_bars(scores: dict[str, list[Scored]], title: str, ax: Axes | None) -> Axes:
    kinds = [score.kind for score in next(iter(scores.values()))]
    if ax is None:
        ax = new_axes(9, max(4.2, 1.2 + 0.25 * len(kinds) * len(scores)))
    thickness = 0.8 / len(scores)
    widest = 0.0  # inches, of the numbers
    for number, (variant, of_variant) in enumerate(scores.items()):
        ink = SERIES[number % len(SERIES)]
        places = [place + (number - (len(scores) - 1) / 2) * thickness for place in range(len(kinds))]
        shares = [100 * score.share for score in of_variant]
        ax.barh(
            places,
            shares,
            thickness * 0.9,
            label=variant,
            color=ink.colour,
            hatch=ink.hatch,
            edgecolor="black",
            linewidth=0.8,
        )
        for place, share, score in zip(places, shares, of_variant, strict=True):
            # The numbers name their variant too: a legend would be far from a bar of no length.
            counts = f"  ({score.right} of {score.total})" if score.total else " (there were none)"
            text = f"{variant}: {percent(score)}{counts}" + (f", {score.wrong} false" if score.wrong else "")
            ax.annotate(
                text,
                (share, place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
            widest = max(widest, text_width(text, 11))
    labels = [LABELS.get(kind, kind) for kind in kinds]
    ax.set_yticks(range(len(kinds)), labels, fontsize=11)
    ax.invert_yaxis()
    ax.axvline(100, color="#999999", linewidth=0.8, linestyle=":", zorder=0)
    room = ax.figure.bbox.width / ax.figure.dpi - max(text_width(label, 11) for label in labels) - 0.35
    ax.set_xlim(
        0, max(155.0, 100 * room / max(room - widest - 0.2, 0.3 * room))
    )  # numbers stand behind a full bar
    ax.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)], fontsize=10)
    ax.set_xlabel("recovered exactly by someone who only listens", fontsize=11, loc="left")
    ax.set_title(title, fontsize=TITLE, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _draw_table(scores: dict[str, list[Scored]], title: str, ax: Axes | None) -> Axes:
    kinds = [score.kind for score in next(iter(scores.values()))]
    headings = [_two_lines(variant) for variant in scores]
    cells = [[_cell(score) for score in of_variant] for of_variant in scores.values()]
    explained = "recovered exactly by someone who only listens; the darker, the more"
    if any(score.wrong for of_variant in scores.values() for score in of_variant):
        explained += "\nfalse: claimed by the eavesdropper, and not so"
    if ax is None:
        small = max(text_width(text, SMALL) for column in cells for _, text in column)
        cell = max(
            0.85, small + 0.2, *(text_width(heading, BODY, weight="bold") + 0.15 for heading in headings)
        )
        label = max(text_width(LABELS.get(kind, kind), BODY) for kind in kinds)
        lines = max(text.count("\n") for column in cells for _, text in column)
        cells_wide = max(
            cell * len(scores), text_width(explained, BODY) + 0.1, text_width(title, TITLE) + 0.1
        )
        ax = new_axes(label + 0.5 + cells_wide, 1.3 + (0.6 + 0.15 * lines) * len(kinds))
    for column, (variant, of_variant) in enumerate(scores.items()):
        for row, score in enumerate(of_variant):
            nothing = not score.total
            ax.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor="#F2F2F2" if nothing else SHADES(float(score.share)),
                    edgecolor="#BFBFBF" if nothing else GREY,
                    hatch="///" if nothing else None,
                    linewidth=0.8,
                    label=f"{variant}: {score.kind}",
                )
            )
            large, small = cells[column][row]
            box = {"facecolor": "#F2F2F2", "edgecolor": "none", "pad": 1.5} if nothing else None
            ax.annotate(
                large,
                (column + 0.5, row + 0.5),
                xytext=(0, 0 if not small else 2 + 5.5 * small.count("\n")),
                textcoords="offset points",
                ha="center",
                va="bottom" if small else "center",
                fontsize=12,
                weight="normal" if nothing else "bold",
                bbox=box,
            )
            if small:
                ax.annotate(
                    small,
                    (column + 0.5, row + 0.5),
                    xytext=(0, 5.5 * small.count("\n")),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=SMALL,
                    bbox=box,
                )
    ax.set_xlim(0, len(scores))
    ax.set_ylim(len(kinds), 0)
    ax.set_xticks([place + 0.5 for place in range(len(scores))], headings, fontsize=BODY, weight="bold")
    ax.set_yticks(
        [place + 0.5 for place in range(len(kinds))],
        [LABELS.get(kind, kind) for kind in kinds],
        fontsize=BODY,
    )
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(explained, fontsize=BODY, loc="left")
    ax.set_title(title, fontsize=TITLE, loc="left", pad=10)
    return ax


def _cell(score: Scored) -> tuple[str, str]:
    """The large and the small text of a cell."""
    if not score.total:
        return "n/a", f"{score.wrong} false" if score.wrong else ""
    return percent(score), f"{score.right} of {score.total}" + (
        f"\n{score.wrong} false" if score.wrong else ""
    )


def _two_lines(text: str) -> str:
    """TEXT broken at the space that makes its two lines most alike; a version number stays with its name's end."""
    spaces = [place for place, character in enumerate(text) if character == " "]
    if not spaces or len(text) <= 8:
        return text
    place = min(spaces, key=lambda place: max(place, len(text) - place - 1))
    return text[:place] + "\n" + text[place + 1 :]


def describe_exposure(scores: Mapping[str, Sequence[Scored]]) -> str:
    """The text twin of ``draw_exposure``: one sentence a variant."""
    sentences = []
    for variant, of_variant in _checked(scores).items():
        parts = [
            f"{score.right} of {score.total} {score.kind} ({percent(score)})"
            for score in of_variant
            if score.total
        ]
        nothing = [score.kind for score in of_variant if not score.total]
        wrong = sum(score.wrong for score in of_variant if score.kind != "bytes")
        sentence = f"{variant}: the eavesdropper recovers " + (", ".join(parts) or "nothing")
        if nothing:
            sentence += f"; there were no {', '.join(nothing)} to recover"
        sentences.append(f"{sentence}; {wrong} false claims.")
    return "\n".join(sentences)
