"""Texts, fields and their meanings, each stored once: what repeats is a place in a list.

    words     every text: addresses, names of fields, sentences
    shapes    the fields of a frame without their values: six numbers a field (see ``SHAPE``)
    phrases   (text, meaning) of a field, as two places in ``words``

A frame is then a shape and one phrase for each of the shape's fields.
"""

from functools import cache
from typing import Any

from lab.dissect.fields.tree import Field
from lab.dissect.text import printable

Data = dict[str, Any]
# Of a field; the last three are places in ``words``.
SHAPE = ("depth", "first bit", "bits", "name", "key", "source")
LONGEST_TEXT = 2_000  # characters of one field's text; the bytes are all there


class Interned:
    """A list without repetitions: ``place(item)`` returns its index, adding it if it is new."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def place(self, item: Any) -> int:
        return self._places.setdefault(item, len(self._places))

    def items(self) -> list[Any]:
        return list(self._places)


class Book:
    """The texts and shapes that all frames of a page share."""

    def __init__(self) -> None:
        self.words, self.shapes, self.phrases = Interned(), Interned(), Interned()
        self._phrase, self._terms = cache(self._add_phrase), cache(self._add_terms)  # few of them differ

    def word(self, text: str) -> int:
        return self.words.place(text)

    def _add_phrase(self, text: str, meaning: str) -> int:
        text = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " ..."
        return self.phrases.place((self.word(printable(text)), self.word(printable(meaning))))

    def _add_terms(self, *terms: str) -> tuple[int, ...]:
        return tuple(map(self.word, terms))

    def tree(self, root: Field) -> list[Any]:
        """Return [shape, phrases] of everything below a field, parents first."""
        shape: list[int] = []
        phrases: list[int] = []

        def add(one: Field, depth: int, inherited: str) -> None:
            meaning = one.meaning or inherited
            terms = self._terms(one.name, one.key, one.source)
            shape.extend((depth, one.bit_start, one.bit_length, *terms))
            phrases.append(self._phrase(one.text, meaning))
            for child in one.children:
                add(child, depth + 1, meaning)

        for child in root.children:
            add(child, 0, "")
        return [self.shapes.place(tuple(shape)), phrases]

    def lists(self) -> Data:
        return {"words": self.words.items(), "shapes": self.shapes.items(), "phrases": self.phrases.items()}
