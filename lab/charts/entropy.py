"""How often each byte value occurs, and what that says about order: plaintext beside ciphertext.

Text uses few values, and some much more often than others; good ciphertext uses all 256 alike. The entropy puts that into
one number (Shannon 1948): the mean of log2(1 / share), from 0 bits a byte where all bytes are the same to 8 where all 256
values are equally frequent.

**Small samples deceive**: 100 bytes can show at most 100 different values, hence at most log2(100) = 6.6 bits, however
random they are. So all streams are cut to the length of the shortest, and compared with what *the same number* of truly
random bytes would show on average. **High entropy is not encryption**: compressed data have it too, and make a good control.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lab.charts.figure import draw_box, scaled_axes, write
from lab.charts.inks import BLACK, BODY, GREY, PALE, SERIES, SMALL, Style
from lab.dissect.text import counted
from lab.exposure.leaks import BYTE_VALUES, byte_entropy_bits, random_entropy_bits

FEW = 2560  # bytes: a sample with less than ten for each value is called small
LANE = 0.78  # the tallest bar's share of a stream's lane
GAUGE_LEFT, GAUGE_WIDTH, GAUGE_HEIGHT = 272, 120, 0.12  # on the scale of byte values


def draw_entropy(
    streams: Mapping[str, bytes], *, title: str = "Which byte values come how often", ax: Axes | None = None
) -> Axes:
    """Draw for each stream the share of every byte value, and its entropy beside that of as many random bytes.

    ``streams``: name -> its bytes, drawn from top to bottom on one scale, so that heights may be compared, and cut to one
    length. Of a TLS stream take the records' fragments: their headers are plain, and show as peaks.
    """
    if not streams:
        raise ValueError("no streams to draw")
    streams = _cut(streams)
    ax = scaled_axes(ax, title, "", "", width=10.5, height=1.3 + 1.35 * len(streams))
    shares = {
        name: np.bincount(np.frombuffer(data, np.uint8), minlength=BYTE_VALUES) / max(1, len(data))
        for name, data in streams.items()
    }
    highest = max(float(share.max()) for share in shares.values()) or 1.0
    scale = LANE / highest
    for lane, (name, data) in enumerate(streams.items()):
        ink, base = SERIES[(1, 0, 2, 3, 4, 5, 6, 7)[lane % len(SERIES)]], lane + 0.9
        # Upside down: lanes go from top to bottom, bars from their lane's base up.
        bars: Style = {"color": ink.colour, "label": name, "linewidth": 0}
        ax.bar(range(BYTE_VALUES), -shares[name] * scale, 1.0, bottom=base, **bars)
        even = base - scale / BYTE_VALUES
        ax.plot([-0.5, 255.5], [base, base], color=BLACK, linewidth=0.8)
        ax.plot([-0.5, 255.5], [even, even], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        _draw_gauge(ax, data, base - 0.1)
    ax.set_xlim(-4, 400)
    ax.set_ylim(len(streams), 0)
    marks = {0: "0", 32: "space", 48: "'0'", 65: "'A'", 97: "'a'", 127: "127", 191: "191", 255: "255"}
    ax.set_xticks(list(marks), list(marks.values()), fontsize=SMALL)
    ax.axvspan(31.5, 126.5, color=PALE, zorder=0, linewidth=0)
    lanes = [lane + 0.55 for lane in range(len(streams))]
    ax.set_yticks(lanes, list(streams), fontsize=BODY, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    legend = (
        "byte value; grey ground: printable ASCII; dashed: all values equally often; "
        f"tallest bar: {100 * highest:.1f} % of a stream; all cut to one length"
    )
    ax.set_xlabel(legend, fontsize=SMALL, loc="left")
    return ax


def _cut(streams: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the first bytes of each stream, as many as the shortest has that is not empty."""
    length = min((len(data) for data in streams.values() if data), default=0)
    return {name: data[:length] for name, data in streams.items()}


def _draw_gauge(ax: Axes, data: bytes, y: float) -> None:
    """Draw the entropy as a bar from 0 to 8 bits, with a mark where random bytes would be, and both in words."""
    bits, random_bits = byte_entropy_bits(data), random_entropy_bits(len(data))
    for width, face in ((GAUGE_WIDTH, "white"), (GAUGE_WIDTH * bits / 8, GREY)):
        look: Style = {"facecolor": face, "edgecolor": BLACK, "linewidth": 0.8}
        draw_box(ax, GAUGE_LEFT, y - GAUGE_HEIGHT, width, GAUGE_HEIGHT, **look)
    text = "no bytes"
    if data:
        x = GAUGE_LEFT + GAUGE_WIDTH * random_bits / 8
        ax.plot([x, x], [y - 0.2, y + 0.08], color=BLACK, linewidth=2)
        text = (
            f"{bits:.2f} of 8 bits a byte; {counted(len(data), 'byte')}\n"
            f"as many random ones: {random_bits:.2f} (mark)"
        )
        if len(data) < FEW:
            text += "\nsmall sample: compare with random"
    write(ax, GAUGE_LEFT, y - 0.26, text, ha="left", va="bottom")


def describe_entropy(streams: Mapping[str, bytes]) -> str:
    """Return the text twin of ``draw_entropy``: a sentence for each stream."""
    sentences = []
    for name, data in _cut(streams).items():
        if not data:
            sentences.append(f"{name}: no bytes.")
            continue
        counts = Counter(data)
        shares = [f"{value:#04x} ({100 * n / len(data):.1f} %)" for value, n in counts.most_common(3)]
        printable = sum(n for value, n in counts.items() if 32 <= value < 127)
        sentences.append(
            f"{name}: {byte_entropy_bits(data):.2f} bits a byte, where as many random bytes would show "
            f"{random_entropy_bits(len(data)):.2f} on average; {counted(len(data), 'byte')}, {len(counts)} of 256 values, "
            f"{100 * printable / len(data):.0f} % printable ASCII; most frequent: {', '.join(shares)}."
            + (" A small sample." if len(data) < FEW else "")
        )
    return "\n".join(sentences)
