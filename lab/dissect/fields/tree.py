"""The tree that a dissected frame is: layers, fields, and fields of fields, each with its place, value and
meaning.

Places are counted in bits from the start of the frame, since headers do not keep to bytes (IPv4 puts its
version and its header length into one). Whatever has no children is a *leaf*; the leaves of a frame, in
order, cover every bit of it exactly once: nothing is skipped, nothing is explained twice.

A header is written down as a table of rows, in the order of its diagram in the RFC, and ``Cursor.table``
walks along it. Where the bytes end before the table does (a short capture, a lying length), what is left
becomes a leaf of its own that says so: *short* is not *wrong*, and never an exception.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Field:
    """One field. VALUE is an int, bytes or str; TEXT is the value for people; KEY is Wireshark's name for
    it.
    """

    name: str
    bit_start: int  # from the start of the frame
    bit_length: int
    value: object = None
    text: str = ""
    meaning: str = ""  # one sentence
    source: str = ""  # where it is defined, "RFC 791 section 3.1"
    key: str = ""
    judgement: str = ""  # of a checksum: "right", "wrong", "offloaded", "not judged"
    children: list["Field"] = field(default_factory=list)

    @property
    def start(self) -> int:
        """The first byte that the field touches, from the start of the frame."""
        return self.bit_start // 8

    @property
    def length(self) -> int:
        """How many bytes it touches."""
        return (self.bit_start + self.bit_length + 7) // 8 - self.start

    @property
    def is_bits(self) -> bool:
        """True where the field does not begin and end at whole bytes."""
        return bool(self.bit_start % 8 or self.bit_length % 8)

    def walk(self) -> Iterator["Field"]:
        """The field itself and everything below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator["Field"]:
        """The leaves below it, in order of their place; fields without any bits are left out."""
        for one in self.walk():
            if not one.children and one.bit_length:
                yield one

    def find(self, key: str) -> "Field":
        """The first field with Wireshark's name KEY. KeyError where there is none."""
        for one in self.walk():
            if one.key == key:
                return one
        raise KeyError(key)

    def get(self, key: str, default=None):
        """The value of the first field with Wireshark's name KEY, or DEFAULT."""
        return next((one.value for one in self.walk() if one.key == key), default)

    def leaf_at(self, byte: int) -> "Field":
        """The leaf that BYTE belongs to (the first of them where several share it). IndexError outside."""
        for one in self.leaves():
            if one.start <= byte < one.start + one.length:
                return one
        raise IndexError(byte)

    def as_dict(self) -> dict:
        """Plain data, for JSON."""
        plain = {"name": self.name, "key": self.key, "start": self.start, "length": self.length}
        if self.is_bits:
            plain |= {"first_bit": self.bit_start % 8, "bits": self.bit_length}
        value = self.value.hex() if isinstance(self.value, bytes) else self.value
        plain |= {"value": value, "text": self.text, "meaning": self.meaning, "source": self.source}
        if self.judgement:
            plain["judgement"] = self.judgement
        if self.children:
            plain["fields"] = [child.as_dict() for child in self.children]
        return plain


class Layer(Field):
    """A protocol's whole header (or, for what carries none, its bytes). Its children are the fields."""


class Row(NamedTuple):
    """A line of a header's table. MEANING may name ``{value}`` and ``{text}``."""

    name: str
    key: str
    bits: int
    meaning: str
    show: Callable[[int], str] = str


class Cursor:
    """A place in a frame that moves on as fields are taken. END is the first byte that it must not touch."""

    def __init__(self, data: bytes, start: int, end: int):
        self.data = data
        self.bit = start * 8
        self.end = min(end, len(data))

    @property
    def byte(self) -> int:
        return self.bit // 8

    @property
    def left(self) -> int:
        """Whole bytes left."""
        return max(0, self.end - (self.bit + 7) // 8)

    def number(self, bits: int) -> int:
        """The next BITS as an unsigned number, most significant first, without moving on."""
        first, last = self.bit // 8, (self.bit + bits + 7) // 8
        whole = int.from_bytes(self.data[first:last], "big")
        return whole >> (last * 8 - self.bit - bits) & ((1 << bits) - 1)

    def take(self, row: Row, source: str = "") -> Field:
        """The field that ROW describes. There must be enough bits left."""
        value = self.number(row.bits)
        text = row.show(value)
        meaning = row.meaning.format(value=value, text=text)
        taken = Field(row.name, self.bit, row.bits, value, text, meaning, source, row.key)
        self.bit += row.bits
        return taken

    def table(self, rows, source: str = "") -> tuple[list[Field], bool]:
        """The fields of a table; False where the bytes ended first (the last field then holds what there
        was).
        """
        taken = []
        for row in rows:
            if self.bit + row.bits > self.end * 8:
                if self.bit < self.end * 8:
                    taken.append(self.rest(f"Rest of the header ({row.name} is cut off)"))
                return taken, False
            taken.append(self.take(row, source))
        return taken, True

    def run(
        self, length: int, name: str, meaning: str = "", *, key: str = "", source: str = "", show=None
    ) -> Field:
        """The next LENGTH bytes, or as many as there are, as one field whose value is bytes."""
        length = max(0, min(length, self.left))
        value = bytes(self.data[self.byte : self.byte + length])
        text = show(value) if show else shorten(value)
        taken = Field(name, self.bit, length * 8, value, text, meaning, source, key)
        self.bit += length * 8
        return taken

    def rest(self, name: str, meaning: str = "", *, key: str = "", source: str = "") -> Field:
        """All bits that are left, as one field whose value is bytes."""
        start = self.bit
        value = bytes(self.data[self.byte : self.end])
        self.bit = max(self.bit, self.end * 8)
        return Field(name, start, self.bit - start, value, shorten(value), meaning, source, key)


def shorten(value: bytes) -> str:
    """Bytes in hexadecimal, the first sixteen of them."""
    return value[:16].hex(" ") + (f" ... ({len(value)} bytes)" if len(value) > 16 else "")


def layer(
    name: str, key: str, start_bit: int, children: list[Field], meaning: str = "", text: str = ""
) -> Layer:
    """A layer round CHILDREN, which stand one behind the other from START_BIT on."""
    end = max((child.bit_start + child.bit_length for child in children), default=start_bit)
    return Layer(name, start_bit, end - start_bit, None, text, meaning, "", key, "", children)


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
    """One field made of others that stand one behind the other."""
    start = children[0].bit_start
    end = children[-1].bit_start + children[-1].bit_length
    return Field(name, start, end - start, value, text, meaning, source, key, "", children)
