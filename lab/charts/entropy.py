"""How often each byte value comes, and what that says about order: plaintext beside ciphertext.

Text uses few values, and some much more than others; good ciphertext uses all 256 alike. The entropy puts that into one
number (Shannon, 1948): the mean of log2(1 / share), from 0 bits a byte where all bytes are the same to 8 where all 256
values come equally often.

**Small samples deceive**: 100 bytes can show at the most 100 different values, hence at the most log2(100) = 6.6 bits,
however random they are. So each stream is also compared with what truly random bytes *of the same number* would show on
average, which is computed exactly from the binomial distribution.
"""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lab.charts.figure import BLACK, BODY, GREY, SERIES, SMALL, counted, new_axes, tidy

VALUES = 256
FEW = 2560  # bytes: below ten for each value, a sample is called small


def entropy_bits(data: bytes) -> float:
    """The entropy of the byte values that DATA shows, in bits a byte, 0 to 8. 0 for no bytes."""
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values()) + 0.0


def random_entropy_bits(count: int) -> float:
    """The entropy that COUNT bytes, each value as likely as any other, show on average, in bits a byte.

    256 times the mean of -(k/n) log2(k/n), where k, how often one value comes, is binomial with n = COUNT and p = 1/256.
    """
    if count < 1:
        return 0.0
    mean = count / VALUES
    most = min(count, int(mean + 12 * math.sqrt(mean) + 40))  # beyond, the rest weighs nothing
    times = np.arange(most + 1)
    # log of the binomial probabilities, each from the one before it
    steps = np.log((count - times[:-1]) / (times[:-1] + 1)) - math.log(VALUES - 1)
    chances = np.exp(count * math.log1p(-1 / VALUES) + np.concatenate([[0.0], np.cumsum(steps)]))
    share = times[1:] / count
    return float(-VALUES * np.sum(chances[1:] * share * np.log2(share)))


def draw_entropy(
    streams: Mapping[str, bytes], *, title: str = "Which byte values come how often", ax: Axes | None = None
) -> Axes:
    """For each stream the share of every byte value, and its entropy beside that of as many random bytes.

    ``streams``: name -> its bytes, drawn from top to bottom on one scale, so that heights may be compared. Of a TLS
    stream take the records' fragments: their headers are plain, and show as peaks. ValueError for no streams.
    """
    if not streams:
        raise ValueError("no streams to draw")
    ax = new_axes(10.5, 1.3 + 1.35 * len(streams)) if ax is None else ax
    tidy(ax, title, "byte value")
    shares = {
        name: np.bincount(np.frombuffer(data, np.uint8), minlength=VALUES) / max(1, len(data))
        for name, data in streams.items()
    }
    highest = max(float(share.max()) for share in shares.values()) or 1.0
    scale = 0.78 / highest
    for lane, (name, data) in enumerate(streams.items()):
        ink, base = SERIES[(1, 0, 2, 3, 4, 5, 6, 7)[lane % len(SERIES)]], lane + 0.9
        # Upside down: lanes go from top to bottom, bars from their lane's base up.
        ax.bar(
            range(VALUES), -shares[name] * scale, 1.0, bottom=base, color=ink.colour, label=name, linewidth=0
        )
        ax.plot([-0.5, 255.5], [base, base], color=BLACK, linewidth=0.8)
        even = base - scale / VALUES
        ax.plot([-0.5, 255.5], [even, even], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        _gauge(ax, data, base)
    ax.set_xlim(-4, 400)
    ax.set_ylim(len(streams), 0)
    marks = {0: "0", 32: "space", 48: "'0'", 65: "'A'", 97: "'a'", 127: "127", 191: "191", 255: "255"}
    ax.set_xticks(list(marks), list(marks.values()), fontsize=SMALL)
    ax.axvspan(31.5, 126.5, color="#F2F2F2", zorder=0, linewidth=0)
    ax.set_yticks([lane + 0.55 for lane in range(len(streams))], list(streams), fontsize=BODY)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(
        f"byte value; grey ground: printable ASCII; dashed: all values equally often; tallest bar: {100 * highest:.1f} % "
        "of a stream",
        fontsize=SMALL,
        loc="left",
    )
    return ax


def _gauge(ax: Axes, data: bytes, base: float) -> None:
    """The entropy as a bar from 0 to 8 bits, with a mark where random bytes would be, and both in words."""
    left, wide, y = 272, 120, base - 0.1
    bits, chance = entropy_bits(data), random_entropy_bits(len(data))
    ax.add_patch(Rectangle((left, y - 0.12), wide, 0.12, facecolor="white", edgecolor=BLACK, linewidth=0.8))
    ax.add_patch(
        Rectangle((left, y - 0.12), wide * bits / 8, 0.12, facecolor=GREY, edgecolor=BLACK, linewidth=0.8)
    )
    at = left + wide * chance / 8
    if data:
        ax.plot([at, at], [y - 0.2, y + 0.08], color=BLACK, linewidth=2)
    ax.text(left, y - 0.26, _in_words(data), ha="left", va="bottom", fontsize=SMALL)


def _in_words(data: bytes) -> str:
    if not data:
        return "no bytes"
    note = "\nsmall sample: compare with random" if len(data) < FEW else ""
    return (
        f"{entropy_bits(data):.2f} of 8 bits a byte; {counted(len(data), 'byte')}\n"
        f"as many random ones: {random_entropy_bits(len(data)):.2f} (mark){note}"
    )


def describe_entropy(streams: Mapping[str, bytes]) -> str:
    """The text twin of ``draw_entropy``: one sentence a stream."""
    told = []
    for name, data in streams.items():
        if not data:
            told.append(f"{name}: no bytes.")
            continue
        counts = Counter(data)
        common = ", ".join(
            f"{value:#04x} ({100 * n / len(data):.1f} %)" for value, n in counts.most_common(3)
        )
        printable = sum(n for value, n in counts.items() if 32 <= value < 127)
        told.append(
            f"{name}: {entropy_bits(data):.2f} bits a byte, where as many random bytes would show "
            f"{random_entropy_bits(len(data)):.2f} on average; {counted(len(data), 'byte')}, {len(counts)} of 256 values, "
            f"{100 * printable / len(data):.0f} % printable ASCII; most often {common}."
            + (" A small sample." if len(data) < FEW else "")
        )
    return "\n".join(told)
