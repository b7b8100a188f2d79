"""The byte strip: every byte of a payload as a cell, with who can read it.

A cell shows the byte in hex and, where it is printable ASCII, as a character. Its ground and the band below it say who
can read it; grounds differ in brightness and bands in hatching, so that grey paper says it too. Under the cells stand
the names of the fields, or letters that a list below explains where a name has no room.
"""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lab.charts.figure import (
    BLACK,
    BLUE,
    BODY,
    GREY,
    PURPLE,
    SMALL,
    TITLE,
    VERMILLION,
    counted,
    new_axes,
    text_width,
)
from lab.dissect.fields.tls import dissect_tls, looks_like_tls
from lab.dissect.fields.tree import Cursor, Field, Layer
from lab.dissect.tcp.flow_rows import plain_text


class Span(NamedTuple):
    """LENGTH bytes from START on, a field called NAME. READER is a key of READERS."""

    start: int
    length: int
    name: str
    reader: str

    @property
    def end(self) -> int:
        return self.start + self.length


class Look(NamedTuple):
    meaning: str
    ground: str
    band: str
    hatch: str


READERS = {
    "header": Look("protocol header: anyone on the path reads it", "#EFEFEF", GREY, ""),
    "plaintext": Look("plaintext: anyone on the path reads it", "#FCE3CC", VERMILLION, "...."),
    "ciphertext": Look("ciphertext: only the two ends read it", "#A9CBE3", BLUE, "////"),
    "padding": Look("padding: says nothing to anyone", "#FFFFFF", PURPLE, "xxxx"),
    "": Look("not named", "#FFFFFF", "#FFFFFF", ""),
}
LETTERS = "abcdefghijkmnpqrstuvwxyz"  # without l and o, which look like digits
MOST_BYTES = 192  # a page full of cells
# Inches: an Axes of a strip counts in inches, from its top left.
CELL, HIGH, BAND, NAMES, OFFSET = 0.42, 0.44, 0.09, 0.3, 0.55


def frame_spans(frame: Field) -> list[Span]:
    """Who reads what of a frame, from its field tree (``lab.dissect.fields.frame.dissect_frame``): one span a field.

    Fields that share a byte become one span; a name that comes in several layers gets its layer's put before it. What
    TLS has encrypted is ciphertext; the headers of Ethernet, IP, TCP and TLS records are headers; the rest is plaintext.
    (Whether bytes that are not TLS were encrypted otherwise, nobody can say from a frame: give your own spans then.)
    """
    spans: list[Span] = []
    layers: dict[str, set[str]] = {}  # name of a field -> layers that have one
    for layer in frame.children:
        for one in _fields(layer):
            layers.setdefault(one.name, set()).add(layer.name)
    for layer in frame.children:
        for one in _fields(layer):
            name = one.name if len(layers[one.name]) == 1 else f"{layer.name} {one.name.lower()}"
            if spans and one.start < spans[-1].end:
                before = spans[-1]
                end = max(before.end, one.start + one.length)
                spans[-1] = Span(
                    before.start, end - before.start, f"{before.name}, {one.name.lower()}", before.reader
                )
            elif one.length:
                spans.append(Span(one.start, one.length, name, _reader(layer, one)))
    return spans


def payload_spans(payload: bytes) -> list[Span]:
    """Who reads what of a segment's payload: TLS records as such, anything else as plaintext."""
    if not payload:
        return []
    if not looks_like_tls(payload):
        return [Span(0, len(payload), "payload", "plaintext")]
    layer = dissect_tls(Cursor(payload, 0, len(payload)))
    return frame_spans(Field("Frame", 0, len(payload) * 8, children=[layer]))


def _fields(one: Field) -> list[Field]:
    """The fields of a layer; a TLS record is taken apart, a group of flags or options stays whole."""
    if isinstance(one, Layer) or one.key == "tls.record":
        return [inner for child in one.children for inner in _fields(child)]
    return [one]


def _reader(layer: Field, one: Field) -> str:
    if one.name.startswith("Encrypted"):
        return "ciphertext"
    if layer.key in ("", "data") or (layer.key == "tls" and not one.key.startswith("tls.record.")):
        return "padding" if one.name == "Padding" else "plaintext"
    return "header"


def draw_byte_strip(
    payload: bytes,
    who_reads: Sequence[Span] | None = None,
    *,
    columns: int = 16,
    max_bytes: int = MOST_BYTES,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The bytes of a payload or frame as cells, marked by who can read them.

    ``who_reads``: spans in order, by default ``payload_spans(payload)``; for a whole frame take ``frame_spans``. Bytes
    that no span covers are drawn without a mark. ``columns``: cells a row. Of more than ``max_bytes`` the beginning is
    drawn, and the picture says how many are missing. ValueError for spans that overlap or leave the payload.
    """
    spans = _checked(payload, who_reads)
    shown = payload[:max_bytes]
    rows = max(1, -(-len(shown) // columns))
    pieces = [
        (number, piece) for number, span in enumerate(spans) for piece in _pieces(span, len(shown), columns)
    ]
    letters = _letters(spans, pieces)
    width = OFFSET + columns * CELL
    listed = _flow([f"{letter}  {name}" for name, letter in letters.items()], width - OFFSET)
    readers = [reader for reader in READERS if any(span.reader == reader for span in spans)]
    width = OFFSET + columns * CELL
    list_rows = len(listed)
    title = f"{counted(len(payload), 'byte')}, and who can read them" if title is None else title
    row_high = HIGH + BAND + NAMES
    cut = len(payload) > len(shown)
    height = (
        rows * row_high + 0.3 * cut + 0.19 * list_rows + 0.1 * bool(list_rows) + 0.25 * len(readers) + 0.1
    )
    if ax is None:
        ax = new_axes(max(width, text_width(title, TITLE)) + 0.15, height + (0.4 if title else 0.1))
    ax.set_xlim(0, max(width, text_width(title, TITLE)))
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    ax.set_title(title, fontsize=TITLE, loc="left", parse_math=False)
    reader_at = [""] * len(shown)
    for span in spans:
        reader_at[span.start : min(span.end, len(shown))] = [span.reader] * (
            min(span.end, len(shown)) - span.start
        )
    for place, (byte, reader) in enumerate(zip(shown, reader_at, strict=True)):
        _cell(ax, place, byte, reader, columns, row_high)
    for row in range(rows if shown else 0):
        y = row * row_high + HIGH / 2
        ax.text(OFFSET - 0.12, y, str(row * columns), ha="right", va="center", fontsize=SMALL, color=GREY)
    for number, (start, end) in pieces:
        _name(ax, spans[number].name, letters, start, end, columns, row_high)
    y = rows * row_high
    if cut:
        left_out = f"… {counted(len(payload) - len(shown), 'byte')} left out …"
        ax.text(OFFSET, y + 0.12, left_out, ha="left", va="center", fontsize=BODY, style="italic")
        y += 0.3
    for number, line in enumerate(listed):
        for x, text in line:
            ax.text(
                OFFSET + x,
                y + 0.1 + 0.19 * number,
                text,
                ha="left",
                va="center",
                fontsize=SMALL,
                parse_math=False,
            )
    y += 0.19 * list_rows + 0.1 * bool(list_rows)
    for number, reader in enumerate(readers):
        look, top = READERS[reader], y + 0.25 * number + 0.05
        ax.add_patch(
            Rectangle((OFFSET, top), 0.3, 0.09, facecolor=look.ground, edgecolor=BLACK, linewidth=0.6)
        )
        _band(ax, OFFSET, top + 0.09, 0.3, look)
        amount = counted(sum(span.length for span in spans if span.reader == reader), "byte")
        ax.text(
            OFFSET + 0.4, top + 0.09, f"{look.meaning} ({amount})", ha="left", va="center", fontsize=SMALL
        )
    return ax


def _checked(payload: bytes, who_reads: Sequence[Span] | None) -> list[Span]:
    spans = sorted(payload_spans(payload) if who_reads is None else (Span(*span) for span in who_reads))
    end = 0
    for span in spans:
        if span.start < end or span.length < 1 or span.end > len(payload):
            raise ValueError(
                f"{span} overlaps the span before it, is empty or ends behind {len(payload)} bytes"
            )
        if span.reader not in READERS:
            raise ValueError(f"reader {span.reader!r}; there are {', '.join(filter(None, READERS))}")
        end = span.end
    return spans


def _pieces(span: Span, shown: int, columns: int) -> list[tuple[int, int]]:
    """(start, end) of a span's part in each row."""
    edges = [
        span.start,
        *range((span.start // columns + 1) * columns, min(span.end, shown), columns),
        span.end,
    ]
    return [
        (start, min(end, shown))
        for start, end in zip(edges, edges[1:], strict=False)
        if start < min(end, shown)
    ]


def _letters(spans: Sequence[Span], pieces: Sequence[tuple[int, tuple[int, int]]]) -> dict[str, str]:
    """A letter for each name that does not fit under every piece that it belongs to; by name."""
    letters = (f"{first}{second}" for first in ["", *LETTERS] for second in LETTERS)
    needy = {
        spans[number].name for number, (start, end) in pieces if not _fits(spans[number].name, end - start)
    }
    return dict(zip(sorted(needy, key=[span.name for span in spans].index), letters, strict=False))


def _fits(name: str, cells: int) -> bool:
    return text_width(name, SMALL) <= cells * CELL - 0.08


def _flow(texts: Sequence[str], width: float) -> list[list[tuple[float, str]]]:
    """TEXTS set into lines of WIDTH inches: for each line (x, text) of what stands on it."""
    lines: list[list[tuple[float, str]]] = []
    x = width
    for text in texts:
        wide = text_width(text, SMALL) + 0.3
        if x + wide > width + 0.3:
            lines.append([])
            x = 0.0
        lines[-1].append((x, text))
        x += wide
    return lines


def _cell(ax: Axes, place: int, byte: int, reader: str, columns: int, row_high: float) -> None:
    row, column = divmod(place, columns)
    x, y = OFFSET + column * CELL, row * row_high
    look = READERS[reader]
    cell = Rectangle(
        (x, y), CELL, HIGH, facecolor=look.ground, edgecolor="white", linewidth=1, gid=f"{place}: {reader}"
    )
    ax.add_patch(cell)
    _band(ax, x, y + HIGH, CELL, look)
    middle = x + CELL / 2
    ax.text(middle, y + 0.13, f"{byte:02x}", ha="center", va="center", fontsize=BODY, family="monospace")
    if chr(byte) != " " and 32 <= byte < 127:
        ax.text(
            middle,
            y + 0.32,
            chr(byte),
            ha="center",
            va="center",
            fontsize=BODY,
            family="monospace",
            weight="bold",
            parse_math=False,
        )


def _band(ax: Axes, x: float, y: float, wide: float, look: Look) -> None:
    ax.add_patch(
        Rectangle((x, y), wide, BAND, facecolor=look.band, edgecolor="white", hatch=look.hatch, linewidth=0)
    )


def _name(ax: Axes, name: str, letters: dict, start: int, end: int, columns: int, row_high: float) -> None:
    row, column = divmod(start, columns)
    left, right = OFFSET + column * CELL + 0.04, OFFSET + (column + end - start) * CELL - 0.04
    y = row * row_high + HIGH + BAND + 0.04
    ax.plot([left, right], [y, y], color=BLACK, linewidth=1)
    text = name if _fits(name, end - start) else letters.get(name, "")
    ax.text((left + right) / 2, y + 0.03, text, ha="center", va="top", fontsize=SMALL, parse_math=False)


def describe_byte_strip(payload: bytes, who_reads: Sequence[Span] | None = None) -> str:
    """The text twin of ``draw_byte_strip``: how much of it who reads, and a line a field with its bytes."""
    spans = _checked(payload, who_reads)
    lines = [f"{counted(len(payload), 'byte')}:"]
    for reader, look in READERS.items():
        amount = sum(span.length for span in spans if span.reader == reader)
        if amount:
            lines.append(f"{counted(amount, 'byte')} of {look.meaning}.")
    unnamed = len(payload) - sum(span.length for span in spans)
    if unnamed:
        lines.append(f"{counted(unnamed, 'byte')} not named.")
    for span in spans:
        found = payload[span.start : span.end]
        more = f" and {len(found) - 16} more" if len(found) > 16 else ""
        said = f", text {plain_text(found)!r}" if span.reader == "plaintext" else ""
        place = f"Byte {span.start}" if span.length == 1 else f"Bytes {span.start} to {span.end - 1}"
        lines.append(f"{place}, {span.name} ({span.reader}): {found[:16].hex(' ')}{more}{said}")
    return "\n".join(lines)
