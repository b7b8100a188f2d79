"""The tree of a dissected frame: layers, fields, and fields of fields, each with its place, value and meaning.

Places are counted in bits from the start of the frame, since headers do not keep to bytes (IPv4 puts its
version and its header length into one). A field without children is a *leaf*. The leaves of a frame, in
order, cover every bit of it exactly once: nothing is skipped, nothing is explained twice.

A header is written down as a table of rows, in the order of its diagram in the RFC, and ``Cursor.table``
walks along it. Where the bytes end before the table does (a short capture, a wrong length), the rest becomes
a leaf of its own that says so: *short* is not *wrong*, and never an exception.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass
class Field:
    """One field. ``value`` is an int, bytes or str; ``text`` is for people; ``key`` is Wireshark's name."""

    name: str
    bit_start: int  # from the start of the frame
    bit_length: int
    value: Any = None
    text: str = ""
    meaning: str = ""  # one sentence
    source: str = ""  # where it is defined, "RFC 791 section 3.1"
    key: str = ""
    judgement: str = ""  # of a checksum: "right", "wrong", "offloaded", "not judged"
    children: list["Field"] = field(default_factory=list)

    @property
    def start(self) -> int:
        """Return the first byte that the field touches, from the start of the frame."""
        return self.bit_start // 8

    @property
    def bit_end(self) -> int:
        """Return the first bit behind the field."""
        return self.bit_start + self.bit_length

    @property
    def length(self) -> int:
        """Return how many bytes it touches."""
        return (self.bit_end + 7) // 8 - self.start

    @property
    def is_bits(self) -> bool:
        """Return whether the field does not begin and end at whole bytes."""
        return bool(self.bit_start % 8 or self.bit_length % 8)

    def walk(self) -> Iterator["Field"]:
        """Yield the field itself and everything below it, in order."""
        yield self
        for child in self.children:
            if child.children:
                yield from child.walk()
            else:  # no generator for each leaf: there are many
                yield child

    def leaves(self) -> Iterator["Field"]:
        """Yield the leaves below it, in order of their place; fields without any bits are left out."""
        for one in self.walk():
            if not one.children and one.bit_length:
                yield one

    def find(self, key: str) -> "Field":
        """Return the first field that Wireshark calls ``key``; KeyError if there is no such field."""
        if (found := self._first(key)) is None:
            raise KeyError(key)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of the first field that Wireshark calls ``key``, or ``default``."""
        found = self._first(key)
        return default if found is None else found.value

    def _first(self, key: str) -> "Field | None":
        """Return what ``walk`` would yield first, without its generators: this is called many times a frame."""
        if self.key == key:
            return self
        for child in self.children:
            if child.key == key:
                return child
            if child.children and (found := child._first(key)) is not None:
                return found
        return None

    def extend(self, fields: Iterable["Field"]) -> None:
        """Add fields behind those that it has."""
        self.children += fields
        self.bit_length = self.children[-1].bit_end - self.bit_start

    def as_dict(self) -> dict[str, Any]:
        """Return the field and all below it as plain data, for JSON."""
        plain: dict[str, Any] = {"name": self.name, "key": self.key}
        plain |= {"start": self.start, "length": self.length}
        if self.is_bits:
            plain |= {"first_bit": self.bit_start % 8, "bits": self.bit_length}
        value = self.value.hex() if isinstance(self.value, bytes) else self.value
        plain |= {"value": value, "text": self.text, "meaning": self.meaning, "source": self.source}
        if self.judgement:
            plain["judgement"] = self.judgement
        if self.children:
            plain["fields"] = [child.as_dict() for child in self.children]
        return plain


class Row(NamedTuple):
    """A line of a header's table. ``meaning`` may name ``{value}`` and ``{text}``."""

    name: str
    key: str
    bits: int
    meaning: str
    show: Callable[[int], str] = str


Table = tuple[Row, ...]


class Cursor:
    """A place in a frame that moves on as fields are taken; ``end`` is the first byte behind its reach."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.bit = start * 8
        self.end = min(end, len(data))

    @property
    def byte(self) -> int:
        return self.bit // 8

    @property
    def left(self) -> int:
        """Return how many whole bytes are left."""
        return max(0, self.end - (self.bit + 7) // 8)

    def part(self, length: int) -> "Cursor":
        """Return a cursor over the next ``length`` bytes, or as many as there are; move on behind them."""
        inner = Cursor(self.data, self.byte, min(self.end, self.byte + length))
        self.bit = max(self.bit, inner.end * 8)
        return inner

    def number(self, bits: int) -> int:
        """Return the next ``bits`` as an unsigned number, most significant first, without moving on."""
        first, last = self.bit // 8, (self.bit + bits + 7) // 8
        whole = int.from_bytes(self.data[first:last], "big")
        return whole >> (last * 8 - self.bit - bits) & ((1 << bits) - 1)

    def _take(self, row: Row, source: str) -> Field:
        value = self.number(row.bits)
        text = row.show(value)
        meaning = row.meaning.format(value=value, text=text) if "{" in row.meaning else row.meaning
        self.bit += row.bits
        return Field(row.name, self.bit - row.bits, row.bits, value, text, meaning, source, row.key)

    def table(self, items: Iterable["Row | Taker"], source: str = "") -> tuple[list[Field], bool]:
        """Take the fields of a table: a row each, or what a function takes.

        Return them, and False if the bytes ended first (the last field is then the rest).
        """
        taken: list[Field] = []
        for item in items:
            if not isinstance(item, Row):
                taken += item(self, source)
            elif self.bit + item.bits <= self.end * 8:
                taken.append(self._take(item, source))
            else:
                if self.bit < self.end * 8:
                    taken.append(self.rest(f"Rest of the header ({item.name} is cut off)"))
                return taken, False
        return taken, True

    def run(self, length: int, name: str, meaning: str = "", *, key: str = "", source: str = "") -> Field:
        """Take the next ``length`` bytes, or as many as there are, as one field whose value is bytes."""
        end = max(self.byte, min(self.byte + length, self.end))
        value = bytes(self.data[self.byte : end])
        taken = Field(name, self.bit, max(0, end * 8 - self.bit), value, shorten(value), meaning, source, key)
        self.bit = taken.bit_end
        return taken

    def rest(self, name: str, meaning: str = "", *, key: str = "", source: str = "") -> Field:
        """Take all bits that are left as one field whose value is bytes."""
        return self.run(self.end - self.byte, name, meaning, key=key, source=source)


Taker = Callable[[Cursor, str], list[Field]]  # takes fields, of a source; none where no bytes are left
Step = Callable[[Cursor, list[Field]], Any]  # takes a header, adds its layer; returns the next step, or None


def shorten(value: bytes) -> str:
    """Return bytes in hexadecimal, the first sixteen of them."""
    return value[:16].hex(" ") + (f" ... ({len(value)} bytes)" if len(value) > 16 else "")


def in_hex(digits: int) -> Callable[[int], str]:
    """Return a function that shows a number in hexadecimal."""
    return lambda value: f"0x{value:0{digits}x}"


def named(names: dict[int, str], digits: int = 0) -> Callable[[int], str]:
    """Return a function that shows a number, decimal or with so many hexadecimal digits, and its name."""
    show = in_hex(digits) if digits else str
    return lambda value: f"{show(value)} ({names[value]})" if value in names else show(value)


def take_header(
    cursor: Cursor,
    layers: list[Field],
    rows: Iterable[Row | Taker],
    name: str,
    key: str,
    meaning: str,
    source: str,
) -> Field:
    """Take a header's table, add its layer to ``layers``; return it.

    If the header is cut short, the layer lacks its last fields, and nothing is left for the next step.
    """
    made = group(name, cursor.table(rows, source)[0], meaning=meaning, key=key)
    layers.append(made)
    return made


def group(
    name: str,
    children: list[Field],
    text: str = "",
    meaning: str = "",
    *,
    key: str = "",
    source: str = "",
    value: object = None,
) -> Field:
    """Return one field made of others that follow one another."""
    start = children[0].bit_start
    return Field(name, start, children[-1].bit_end - start, value, text, meaning, source, key, "", children)
