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


class Places(dict[Any, int]):
    """The place of each item in a list without repetitions; an item that is new is added to the list."""

    def __missing__(self, item: Any) -> int:
        return self.setdefault(item, len(self))


class Book:
    """The texts and shapes that all frames of a page share."""

    def __init__(self) -> None:
        self.words, self.shapes, self.phrases = Places(), Places(), Places()
        self._phrase = cache(self._add_phrase)  # few of them differ

    def _add_phrase(self, text: str, meaning: str) -> int:
        text = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " ..."
        return self.phrases[self.words[printable(text)], self.words[printable(meaning)]]

    def tree(self, root: Field) -> list[Any]:
        """Return [shape, phrases] of everything below a field, parents first."""
        shape: list[int] = []
        phrases: list[int] = []

        def add(one: Field, depth: int, inherited: str) -> None:
            meaning = one.meaning or inherited
            terms = self.words[one.name], self.words[one.key], self.words[one.source]
            shape.extend((depth, one.bit_start, one.bit_length, *terms))
            phrases.append(self._phrase(one.text, meaning))
            for child in one.children:
                add(child, depth + 1, meaning)

        for child in root.children:
            add(child, 0, "")
        return [self.shapes[tuple(shape)], phrases]

    def lists(self) -> Data:
        return {"words": list(self.words), "shapes": list(self.shapes), "phrases": list(self.phrases)}
