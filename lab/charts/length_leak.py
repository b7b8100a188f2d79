"""What lengths give away: the true length of each message beside what an eavesdropper inferred from the wire.

On the dashed line the guess is right. Without padding every message lies on it; padding to blocks makes many true lengths
look like one, which shows as a level row of marks. The variants' marks are hollow and of different sizes, so that marks
in the same place surround each other instead of covering each other.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from lab.charts.figure import draw_key, draw_marks, scaled_axes, whole_numbers
from lab.charts.inks import GREY, SERIES, Style
from lab.dissect.text import counted


def draw_length_leak(
    true_lengths: Sequence[int],
    inferred_lengths: Mapping[str, Sequence[int | None]],
    *,
    title: str = "What the lengths give away",
    ax: Axes | None = None,
) -> Axes:
    """Draw the true lengths of messages against the inferred ones, in bytes.

    ``inferred_lengths``: variant -> a length for each message, in the order of ``true_lengths``, or None for no guess.
    """
    x, y = "true length of the message, bytes", "length inferred from the wire, bytes"
    ax = scaled_axes(ax, title, x, y, width=9, height=4.8)
    longest = max([1, *true_lengths])
    top = 1.08 * longest
    look: Style = {"color": GREY, "linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 0}
    key = ax.plot([0, top], [0, top], label="the guess is right", **look)
    for number, (variant, inferred) in enumerate(inferred_lengths.items()):
        ink = SERIES[number % len(SERIES)]
        label = f"{variant}:\n{_summary(variant, true_lengths, inferred)}"
        pairs = [pair for pair in zip(true_lengths, inferred, strict=True) if pair[1] is not None]
        true, guesses = zip(*pairs, strict=True) if pairs else ((), ())
        longest = max([longest, *guesses])
        size: Style = {"markersize": 5 + 3.5 * number, "markeredgewidth": 1.6, "markerfacecolor": "none"}
        key += draw_marks(ax, true, guesses, ink.marker, ink.colour, label=label, **size)
    ax.set_xlim(0, top)
    ax.set_ylim(0, 1.08 * longest)
    whole_numbers(ax.xaxis)
    whole_numbers(ax.yaxis)
    draw_key(ax, key)
    return ax


def _summary(variant: str, true_lengths: Sequence[int], inferred: Sequence[int | None]) -> str:
    if len(inferred) != len(true_lengths):
        raise ValueError(f"{variant}: {counted(len(inferred), 'length')} for {len(true_lengths)} messages")
    pairs = list(zip(true_lengths, inferred, strict=True))
    right = sum(true == guess for true, guess in pairs)
    known = [(true, guess) for true, guess in pairs if guess is not None]
    true_count, seen_count = (len(set(lengths)) for lengths in zip(*known, strict=True)) if known else (0, 0)
    look = "looks" if true_count == 1 else "look"
    summary = f"{right} of {len(pairs)} right,\n{counted(true_count, 'length')} {look} like {seen_count}"
    missing = len(pairs) - len(known)
    return summary + (f",\n{missing} without a guess" if missing else "")


def describe_length_leak(
    true_lengths: Sequence[int], inferred_lengths: Mapping[str, Sequence[int | None]]
) -> str:
    """Return the text twin of ``draw_length_leak``: a sentence for each variant, and how far off the guesses are."""
    sentences = []
    for variant, inferred in inferred_lengths.items():
        sentence = f"{variant}: " + _summary(variant, true_lengths, inferred).replace("\n", " ")
        pairs = zip(true_lengths, inferred, strict=True)
        off = [guess - true for true, guess in pairs if guess is not None and guess != true]
        if off:
            sentence += f"; the wrong ones are off by {min(off):+,} to {max(off):+,} bytes"
        sentences.append(sentence + ".")
    return "\n".join(sentences)
