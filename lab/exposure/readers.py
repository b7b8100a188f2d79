"""Who can read which bytes of a frame or payload.

    header       protocol headers: anyone on the path
    plaintext    anyone on the path
    ciphertext   what TLS has encrypted: only the two ends
    padding      says nothing to anyone

Whether bytes that are not TLS were encrypted in another way cannot be seen in a frame: they count as plaintext.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lab.dissect.fields.tls import dissect_tls, looks_like_tls
from lab.dissect.fields.tree import Cursor, Field


class Span(NamedTuple):
    """``length`` bytes from ``start`` on: a field, and who can read it (``reader``, one of the words above)."""

    start: int
    length: int
    name: str
    reader: str

    @property
    def end(self) -> int:
        return self.start + self.length


def frame_spans(frame: Field) -> list[Span]:
    """Return who reads what of a frame, from its field tree (``dissect_frame``): a span for each field.

    Fields that share a byte become one span. A name that several layers have gets its layer's name before it.
    """
    fields = [(layer, field) for layer in frame.children for field in _fields(layer)]
    layers: dict[str, set[str]] = {}  # name of a field -> layers that have one
    for layer, field in fields:
        layers.setdefault(field.name, set()).add(layer.name)
    spans: list[Span] = []
    for layer, field in fields:
        if spans and field.start < spans[-1].end:
            before = spans[-1]
            end = max(before.end, field.start + field.length)
            name = f"{before.name}, {field.name.lower()}"
            spans[-1] = Span(before.start, end - before.start, name, before.reader)
        elif field.length:
            alone = len(layers[field.name]) == 1
            name = field.name if alone else f"{layer.name} {field.name.lower()}"
            spans.append(Span(field.start, field.length, name, _reader(layer, field)))
    return spans


def payload_spans(payload: bytes) -> list[Span]:
    """Return who reads what of a segment's payload: TLS records as such, anything else as plaintext."""
    if not payload:
        return []
    if not looks_like_tls(payload):
        return [Span(0, len(payload), "payload", "plaintext")]
    layer = dissect_tls(Cursor(payload, 0, len(payload)))
    return frame_spans(Field("Frame", 0, len(payload) * 8, children=[layer]))


def _fields(field: Field) -> Iterator[Field]:
    """Take a layer or a TLS record apart; a group of flags or options stays whole."""
    for child in field.children:
        if child.key == "tls.record":
            yield from _fields(child)
        else:
            yield child


def _reader(layer: Field, field: Field) -> str:
    if field.name.startswith("Encrypted"):
        return "ciphertext"
    if layer.key in ("", "data") or (layer.key == "tls" and not field.key.startswith("tls.record.")):
        return "padding" if field.name == "Padding" else "plaintext"
    return "header"
