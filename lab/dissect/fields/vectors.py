"""TLS's vectors (RFC 8446 section 3.4): a length of 1, 2 or 3 bytes, and that many bytes of items.

Nearly everything in a handshake message is one of these, so a message is written down as tables of rows and
vectors.
"""

from dataclasses import dataclass

from lab.dissect.fields.tree import Cursor, Field, Row, Taker, group

MOST_ITEMS = 4096  # fields of a vector that are shown one by one


@dataclass(frozen=True)
class Vector:
    """A vector whose items are those of a table that repeats; without a table it is bytes, or text.

    Called with a cursor it takes the length and, if that is not zero, one field of that many bytes.
    """

    name: str
    bits: int  # of the length
    key: str = ""
    length_key: str = ""
    meaning: str = ""
    source: str = ""  # "": that of the table it stands in
    items: tuple[Row | Taker, ...] = ()
    is_text: bool = False

    def __call__(self, cursor: Cursor, source: str) -> list[Field]:
        source = self.source or source
        row = Row(f"{self.name} length", self.length_key, self.bits, "Bytes that follow.")
        length, whole = cursor.table((row,), source)
        if not whole or not length[0].value or not cursor.left:
            return length
        inner = cursor.part(length[0].value)
        if not self.items:
            content = inner.rest(self.name, self.meaning, key=self.key, source=source)
            if self.is_text:
                content.value = content.text = content.value.decode("ascii", "backslashreplace")
            return [*length, content]
        children: list[Field] = []
        while inner.left and len(children) < MOST_ITEMS:
            children += inner.table(self.items, source)[0]
        if inner.left:
            children.append(inner.rest("Rest", f"Only {MOST_ITEMS} items are shown one by one."))
        text = f"{len(children)} items"
        return [*length, group(self.name, children, text, self.meaning, key=self.key, source=source)]
