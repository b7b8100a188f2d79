"""Charts of what the captures say. Axes-level: data first, an Axes comes back, nothing is shown or saved in here.

The only module that imports matplotlib. Readable in greyscale and by colour-blind eyes: series differ in hatching and
place as well as in colour (Okabe and Ito's palette), and every number that is drawn is also written. Each chart has a
text twin made from the same data, for those who cannot see it.
"""

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.exposure import Score

# Okabe and Ito's colours, dark enough or light enough to differ in grey as well.
SERIES = (("#D55E00", ""), ("#0072B2", "//"), ("#009E73", ".."), ("#CC79A7", "xx"))
LABELS = {"names": "names of the users", "lines": "lines said, with speaker", "bytes": "bytes of these lines"}


def new_axes(width: float = 9, height: float = 4.2) -> Axes:
    """Axes on a figure of its own (inches); ``axes.figure.savefig(path)`` writes it."""
    return Figure(figsize=(width, height), layout="constrained", dpi=150).add_subplot()


def to_png(ax: Axes) -> bytes:
    """The whole figure that AX stands on, as a PNG image: for notebooks and pages."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_exposure(scores: Mapping[str, Sequence[Score]], *, ax: Axes | None = None) -> Axes:
    """Share of the conversation that an eavesdropper recovers: a group of bars a class, a bar a session.

    ``scores``: name of the session -> its scores, all with the same classes in the same order.
    """
    ax = ax or new_axes()
    thickness = 0.8 / len(scores)
    kinds = [score.kind for score in next(iter(scores.values()))]
    for number, (session, of_session) in enumerate(scores.items()):
        colour, hatch = SERIES[number % len(SERIES)]
        places = [place + (number - (len(scores) - 1) / 2) * thickness for place in range(len(kinds))]
        shares = [100 * score.share for score in of_session]
        ax.barh(
            places, shares, thickness * 0.9, label=session, color=colour, hatch=hatch, edgecolor="black", linewidth=0.8
        )
        for place, share, score in zip(places, shares, of_session, strict=True):
            # The numbers name their session too: a legend would be far from a bar of no length.
            text = f"{session}: {share:.0f} %  ({score.right} of {score.total})"
            ax.annotate(text, (share, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=11)
    ax.set_yticks(range(len(kinds)), [LABELS.get(kind, kind) for kind in kinds], fontsize=11)
    ax.invert_yaxis()
    ax.axvline(100, color="#999999", linewidth=0.8, linestyle=":", zorder=0)
    ax.set_xlim(0, 155)  # room for the numbers behind a full bar
    ax.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)], fontsize=10)
    ax.set_xlabel("recovered exactly by someone who only listens", fontsize=11, loc="left")
    ax.set_title("What an eavesdropper reads of the same chat", fontsize=13, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def describe_exposure(scores: Mapping[str, Sequence[Score]]) -> str:
    """The text twin of ``draw_exposure``: one sentence a session."""
    sentences = []
    for session, of_session in scores.items():
        parts = [f"{score.right} of {score.total} {score.kind} ({100 * score.share:.0f} %)" for score in of_session]
        wrong = sum(score.wrong for score in of_session if score.kind != "bytes")
        sentences.append(f"{session}: the eavesdropper recovers " + ", ".join(parts) + f"; {wrong} false claims.")
    return "\n".join(sentences)
