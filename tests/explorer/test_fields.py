"""Every byte answers: the page's fields are those of ``dissect_frame``, leaf for leaf."""

import base64

import pytest

from lab.dissect import dissect_frame, read_capture
from lab.explorer.data import SHAPE, capture_data
from lab.exposure.chat_fields import name_parts
from tests.explorer.pages import SHIPPED
from tests.support import CAPTURES, some_of

CHAT = CAPTURES / "chat"


def keys_of(path):
    keys = path.with_suffix(".keys")
    return (keys.read_bytes(),) if keys.exists() else ()


def leaves_of(data, shape, phrases):
    """(first bit, bits, meaning) of each leaf of a tree of the page's data."""
    numbers, size = data["shapes"][shape], len(SHAPE)
    rows = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    for place, (depth, first, bits, *_) in enumerate(rows):
        is_leaf = place + 1 == len(rows) or rows[place + 1][0] <= depth
        if is_leaf and bits:
            yield first, bits, data["words"][data["phrases"][phrases[place]][1]]


@pytest.mark.parametrize("path", some_of(SHIPPED, 6), ids=lambda path: path.name)
def test_every_bit_of_every_frame_is_explained(path):
    data = capture_data(path, keys_of(path))
    trees = list(zip(data["frames"]["tree"], data["lengths"], strict=True))
    for records in data["inner"].values():
        trees += [
            ((shape, phrases), len(base64.b64decode(content))) for _, shape, phrases, content, *_ in records
        ]
    for (shape, phrases), length in trees:
        bit = 0
        for first, bits, meaning in leaves_of(data, shape, phrases):
            assert first == bit and meaning.strip()
            bit += bits
        assert bit == 8 * length


def test_the_keys_open_every_record_of_the_conversation():
    data = capture_data(CHAT / "tls13.pcapng", keys_of(CHAT / "tls13.pcapng"))
    opened = sum(map(len, data["inner"].values()))
    assert opened == sum(1 for _, kind, hidden, *_ in data["records"] if hidden and kind == 23)
    assert capture_data(CHAT / "tls13.pcapng")["inner"] == {}


@pytest.mark.parametrize("name", ["plain", "tls12"])
def test_the_page_shows_the_leaves_of_dissect_frame(open_page, name):
    path = CHAT / f"{name}.pcapng"
    capture, tab = read_capture(path), open_page(path)
    for number in (1, 4, 30, len(capture)):
        tab.evaluate(f"location.hash = '#frame-{number}'")
        tab.locator(f"#row-{number}[aria-selected=true]").wait_for()
        tab.locator(".tree").press("*")
        shown = tab.evaluate(
            """[...document.querySelectorAll('.tree li:not([aria-expanded])')].map(item =>
               [item.dataset.bits, ...[...item.children].map(span => span.textContent)])"""
        )
        tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number), name_parts)
        leaves = [
            [f"{one.bit_start} {one.bit_length}", one.name, one.text]
            for one in tree.walk()
            if not one.children
        ]
        assert shown == leaves
