"""TLS's vectors (RFC 8446 section 3.4): a length of 1, 2 or 3 bytes, and that many bytes of items.

Nearly everything in a handshake message is one of these, so a message is written down as tables of rows and
vectors.
"""

from collections.abc import Callable
from typing import NamedTuple

from lab.dissect.fields.tree import Cursor, Field, Row, group

MOST_ITEMS = 4096  # items of a vector that are shown one by one

Items = Callable[[Cursor], list[Field]]


class Vector(NamedTuple):
    """A vector of ``items``: a row that repeats, a function that takes them, or None for bytes or text."""

    name: str
    bits: int  # of the length
    items: Row | Items | None = None
    key: str = ""
    length_key: str = ""
    meaning: str = ""
    source: str = ""
    is_text: bool = False

    def take(self, cursor: Cursor) -> list[Field]:
        """Take the length and, if it is not zero, one field of that many bytes."""
        row = Row(f"{self.name} length", self.length_key, self.bits, "Bytes that follow.")
        length, whole = cursor.table((row,), self.source)
        if not whole or not length[0].value or not cursor.left:
            return length
        inner = cursor.until(cursor.byte + length[0].value)
        if self.items is None:
            content = inner.rest(self.name, self.meaning, key=self.key, source=self.source)
            if self.is_text:
                content.value = content.text = content.value.decode("ascii", "backslashreplace")
        else:
            children = _repeat(self.items, inner) if isinstance(self.items, Row) else self.items(inner)
            if inner.left:
                children.append(inner.rest("Rest", "Cut off, or not as the standard has it."))
            text = f"{len(children)} items"
            content = group(self.name, children, text, self.meaning, key=self.key, source=self.source)
        cursor.bit = inner.bit
        return [*length, content]


def _repeat(row: Row, cursor: Cursor) -> list[Field]:
    taken: list[Field] = []
    while cursor.left >= row.bits // 8 and len(taken) < MOST_ITEMS:
        taken.append(cursor.take(row))
    return taken
