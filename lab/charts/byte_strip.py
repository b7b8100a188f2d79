"""The byte strip: every byte of a payload as a cell, with who can read it.

A cell shows the byte in hex and, where it is printable ASCII, as a character. Its ground and the band below it say who
can read it; grounds differ in brightness and bands in hatching, so that grey paper says it too. Below the cells stand
the names of the fields, or letters where a name does not fit; a list explains these.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from lab.charts.figure import blank_axes, draw_box, text_width, write
from lab.charts.inks import BLACK, BLUE, BODY, GREY, PURPLE, SMALL, VERMILLION, Style
from lab.dissect.tcp.flow_rows import plain_text
from lab.dissect.text import counted
from lab.exposure.readers import Span, payload_spans


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
COLUMNS = 16  # cells a row
MOST_BYTES = 192  # a page full of cells
# All places are in inches, from the top left.
CELL, HIGH, BAND, NAMES = 0.42, 0.44, 0.09, 0.3
ROW = HIGH + BAND + NAMES
LEFT = 0.55  # of the first cell; before it stands the offset
CUT_LINE, LIST_LINE, KEY_LINE = 0.3, 0.19, 0.25  # below the cells


def draw_byte_strip(
    payload: bytes,
    who_reads: Sequence[Span] | None = None,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the bytes of a payload or frame as cells, marked by who can read them.

    ``who_reads``: spans in order, by default ``payload_spans(payload)``; for a whole frame take ``frame_spans``. Bytes
    that no span covers are drawn without a mark. Of more than ``MOST_BYTES`` the beginning is drawn, and the picture
    says how many are missing. ValueError for spans that overlap or leave the payload.
    """
    spans = _checked(payload, who_reads)
    shown = payload[:MOST_BYTES]
    pieces = [piece for span in spans for piece in _pieces(span, len(shown))]
    letters = _letters(pieces)
    listed = _set_in_lines([f"{letter}  {name}" for name, letter in letters.items()], COLUMNS * CELL)
    amounts = _amounts(spans)
    below_cells = max(1, -(-len(shown) // COLUMNS)) * ROW
    list_top = below_cells + (CUT_LINE if len(shown) < len(payload) else 0)
    key_top = list_top + LIST_LINE * len(listed) + (0.1 if listed else 0)
    title = f"{counted(len(payload), 'byte')}, and who can read them" if title is None else title
    ax = blank_axes(ax, title, LEFT + COLUMNS * CELL, key_top + KEY_LINE * len(amounts) + 0.1)
    reader_at = {place: span.reader for span in spans for place in range(span.start, span.end)}
    for place, byte in enumerate(shown):
        _draw_cell(ax, place, byte, reader_at.get(place, ""))
    for start in range(0, len(shown), COLUMNS):
        write(ax, LEFT - 0.12, _corner(start)[1] + HIGH / 2, str(start), ha="right", color=GREY)
    for piece in pieces:
        _draw_name(ax, piece, letters)
    if len(shown) < len(payload):
        left_out = f"… {counted(len(payload) - len(shown), 'byte')} left out …"
        write(ax, LEFT, below_cells + 0.12, left_out, ha="left", fontsize=BODY, style="italic")
    for number, line in enumerate(listed):
        for x, text in line:
            write(ax, LEFT + x, list_top + 0.1 + LIST_LINE * number, text, ha="left")
    for number, (reader, amount) in enumerate(amounts.items()):
        top, look = key_top + KEY_LINE * number + 0.05, READERS[reader]
        draw_box(ax, LEFT, top, 0.3, 0.09, facecolor=look.ground, edgecolor=BLACK, linewidth=0.6)
        _draw_band(ax, LEFT, top + 0.09, 0.3, look)
        write(ax, LEFT + 0.4, top + 0.09, f"{look.meaning} ({counted(amount, 'byte')})", ha="left")
    return ax


def _checked(payload: bytes, who_reads: Sequence[Span] | None) -> list[Span]:
    spans = sorted(payload_spans(payload) if who_reads is None else (Span(*span) for span in who_reads))
    end = 0
    for span in spans:
        if span.start < end or span.length < 1 or span.end > len(payload):
            fault = f"overlaps the span before it, is empty or ends behind {len(payload)} bytes"
            raise ValueError(f"{span} {fault}")
        if span.reader not in READERS:
            raise ValueError(f"reader {span.reader!r}; there are {', '.join(filter(None, READERS))}")
        end = span.end
    return spans


def _amounts(spans: Sequence[Span]) -> dict[str, int]:
    """Return how many bytes each reader can read, in the order of ``READERS``."""
    amounts = {reader: sum(span.length for span in spans if span.reader == reader) for reader in READERS}
    return {reader: amount for reader, amount in amounts.items() if amount}


def _pieces(span: Span, shown: int) -> Iterator[Span]:
    """Cut a span where a row ends, and where the bytes end that are shown."""
    start, last = span.start, min(span.end, shown)
    while start < last:
        end = min(last, (start // COLUMNS + 1) * COLUMNS)
        yield span._replace(start=start, length=end - start)
        start = end


def _letters(pieces: Sequence[Span]) -> dict[str, str]:
    """Return a letter, or two, for each name that does not fit below every piece that it belongs to."""
    letters = (f"{first}{second}" for first in ["", *LETTERS] for second in LETTERS)
    return dict(zip(dict.fromkeys(piece.name for piece in pieces if not _fits(piece)), letters, strict=False))


def _fits(piece: Span) -> bool:
    return text_width(piece.name, SMALL) <= piece.length * CELL - 0.08


def _set_in_lines(texts: Sequence[str], width: float) -> list[list[tuple[float, str]]]:
    """Set texts in lines of ``width`` inches. Return for each line the texts on it with their places from the left."""
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


def _corner(place: int) -> tuple[float, float]:
    row, column = divmod(place, COLUMNS)
    return LEFT + column * CELL, row * ROW


def _draw_cell(ax: Axes, place: int, byte: int, reader: str) -> None:
    x, y = _corner(place)
    ground = READERS[reader].ground
    draw_box(ax, x, y, CELL, HIGH, facecolor=ground, edgecolor="white", linewidth=1, gid=f"{place}: {reader}")
    _draw_band(ax, x, y + HIGH, CELL, READERS[reader])
    look: Style = {"fontsize": BODY, "family": "monospace"}
    write(ax, x + CELL / 2, y + 0.13, f"{byte:02x}", **look)
    if 32 < byte < 127:
        write(ax, x + CELL / 2, y + 0.32, chr(byte), weight="bold", **look)


def _draw_band(ax: Axes, x: float, y: float, width: float, look: Look) -> None:
    draw_box(ax, x, y, width, BAND, facecolor=look.band, edgecolor="white", hatch=look.hatch, linewidth=0)


def _draw_name(ax: Axes, piece: Span, letters: dict[str, str]) -> None:
    x, y = _corner(piece.start)
    left, right, y = x + 0.04, x + piece.length * CELL - 0.04, y + HIGH + BAND + 0.04
    ax.plot([left, right], [y, y], color=BLACK, linewidth=1)
    text = piece.name if _fits(piece) else letters.get(piece.name, "")
    write(ax, (left + right) / 2, y + 0.03, text, va="top")


def describe_byte_strip(payload: bytes, who_reads: Sequence[Span] | None = None) -> str:
    """Return the text twin of ``draw_byte_strip``: who reads how much of it, and a line for each field."""
    spans = _checked(payload, who_reads)
    lines = [f"{counted(len(payload), 'byte')}:"]
    amounts = _amounts(spans)
    for reader, amount in amounts.items():
        lines.append(f"{counted(amount, 'byte')} of {READERS[reader].meaning}.")
    if unnamed := len(payload) - sum(amounts.values()):
        lines.append(f"{counted(unnamed, 'byte')} not named.")
    for span in spans:
        found = payload[span.start : span.end]
        more = f" and {len(found) - 16} more" if len(found) > 16 else ""
        text = f", text {plain_text(found)!r}" if span.reader == "plaintext" else ""
        place = f"Byte {span.start}" if span.length == 1 else f"Bytes {span.start} to {span.end - 1}"
        lines.append(f"{place}, {span.name} ({span.reader}): {found[:16].hex(' ')}{more}{text}")
    return "\n".join(lines)
