"""What lengths give away: the true length of each message beside what an eavesdropper inferred from the wire.

On the dashed line the guess is right. Without padding every message lies on it; padding to blocks makes many true lengths
look like one, which is a level row of marks. Marks of the variants are hollow and of different sizes, so that those in
the same place stand round each other instead of upon each other.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from lab.charts.figure import GREY, SERIES, new_axes, side_key, tidy, whole_numbers


def draw_length_leak(
    true_lengths: Sequence[int],
    inferred_lengths: Mapping[str, Sequence[int | None]],
    *,
    title: str = "What the lengths give away",
    ax: Axes | None = None,
) -> Axes:
    """True against inferred lengths of messages, in bytes.

    ``inferred_lengths``: variant -> one length a message, in the order of ``true_lengths``; None where the eavesdropper
    has no guess. ValueError where they are not as many.
    """
    counted = _counted(true_lengths, inferred_lengths)
    ax = new_axes(9, 4.8) if ax is None else ax
    tidy(ax, title, "true length of the message, bytes", "length inferred from the wire, bytes")
    guesses = [guess for guesses in inferred_lengths.values() for guess in guesses if guess is not None]
    top = 1.08 * max([1, *true_lengths])
    known = ax.plot(
        [0, top],
        [0, top],
        color=GREY,
        linewidth=1,
        linestyle=(0, (4, 3)),
        label="the guess is right",
        zorder=0,
    )
    for number, (variant, inferred) in enumerate(inferred_lengths.items()):
        ink = SERIES[number % len(SERIES)]
        pairs = [
            (true, guess) for true, guess in zip(true_lengths, inferred, strict=True) if guess is not None
        ]
        known += ax.plot(
            [true for true, _ in pairs],
            [guess for _, guess in pairs],
            linestyle="none",
            marker=ink.marker,
            markersize=5 + 3.5 * number,
            markerfacecolor="none",
            markeredgecolor=ink.colour,
            markeredgewidth=1.6,
            label=f"{variant}:\n{counted[variant]}",
        )
    ax.set_xlim(0, top)
    ax.set_ylim(0, 1.08 * max([1, *true_lengths, *guesses]))
    whole_numbers(ax.xaxis)
    whole_numbers(ax.yaxis)
    side_key(ax, known)
    return ax


def _counted(
    true_lengths: Sequence[int], inferred_lengths: Mapping[str, Sequence[int | None]]
) -> dict[str, str]:
    told = {}
    for variant, inferred in inferred_lengths.items():
        if len(inferred) != len(true_lengths):
            raise ValueError(f"{variant}: {len(inferred)} lengths for {len(true_lengths)} messages")
        right = sum(true == guess for true, guess in zip(true_lengths, inferred, strict=True))
        missing = sum(guess is None for guess in inferred)
        seen = {guess for guess in inferred if guess is not None}
        true = {length for length, guess in zip(true_lengths, inferred, strict=True) if guess is not None}
        told[variant] = f"{right} of {len(true_lengths)} right,\n{len(true)} lengths look like {len(seen)}"
        if missing:
            told[variant] += f",\n{missing} without a guess"
    return told


def describe_length_leak(
    true_lengths: Sequence[int], inferred_lengths: Mapping[str, Sequence[int | None]]
) -> str:
    """The text twin of ``draw_length_leak``: one sentence a variant, and how far off the guesses are."""
    told = []
    for variant, text in _counted(true_lengths, inferred_lengths).items():
        off = [
            guess - true
            for true, guess in zip(true_lengths, inferred_lengths[variant], strict=True)
            if guess is not None and guess != true
        ]
        sentence = f"{variant}: " + " ".join(text.split("\n"))
        if off:
            sentence += f"; the wrong ones are off by {min(off):+,} to {max(off):+,} bytes"
        told.append(sentence + ".")
    return "\n".join(told)
