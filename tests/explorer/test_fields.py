"""Every byte answers: the page's fields are those of ``dissect_frame``, leaf for leaf."""

import base64

import pytest

from lab.dissect import dissect_frame, read_capture
from lab.dissect.text import printable
from lab.explorer.book import LONGEST_TEXT, SHAPE
from lab.exposure.chat_fields import name_parts
from tests.dissect import packets
from tests.explorer.pages import SHIPPED, data_of
from tests.support import CAPTURES, only, some_of

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
    data = data_of(path, keys_of(path))
    trees = list(zip((frame["tree"] for frame in data["frames"]), data["lengths"], strict=True))
    for records in (*data["inner"].values(), *data["whole"].values()):
        trees += [(one["tree"], len(base64.b64decode(one["bytes"]))) for one in records]
    for (shape, phrases), length in trees:
        bit = 0
        for first, bits, meaning in leaves_of(data, shape, phrases):
            assert first == bit and meaning.strip()
            bit += bits
        assert bit == 8 * length


def test_the_keys_open_every_record_of_the_conversation():
    data = data_of(CHAT / "tls13.pcapng", keys_of(CHAT / "tls13.pcapng"))
    opened = sum(map(len, data["inner"].values()))
    assert opened == sum(1 for one in data["records"] if one["hidden"] and one["type"] == 23)
    assert data_of(CHAT / "tls13.pcapng")["inner"] == {}


def shown_text(text: str) -> str:
    """Return a field's text as the page has it: long ones are cut."""
    return printable(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " ...")


def evenly(count: int, most: int) -> list[int]:
    """Return at most so many of the numbers 1 to count, the first and the last among them."""
    return sorted({1 + round(place * (count - 1) / (most - 1)) for place in range(most)}) if count else []


@pytest.mark.parametrize(
    "path", only(SHIPPED, CHAT / "plain.pcapng", CHAT / "tls12.pcapng"), ids=lambda path: path.name
)
def test_the_page_shows_the_leaves_of_dissect_frame(open_page, path):
    capture, tab = read_capture(path), open_page(path)
    for number in evenly(len(capture), 8):
        tab.evaluate(f"location.hash = '#frame-{number}'")
        tab.locator(f"#row-{number}[aria-selected=true]").wait_for()
        tab.locator(".tree").press("*")
        if tab.locator(".tree [aria-expanded=false]").count():
            tab.locator(".tree").press("*")  # all were open: the first time closed them
        shown = tab.evaluate(
            """[...document.querySelectorAll('.tree li:not([aria-expanded])')].map(item =>
               [item.dataset.bits, ...[...item.children].map(span => span.textContent)])"""
        )
        tree = dissect_frame(bytes(capture.frame(number)), capture.link_type(number), name_parts)
        leaves = [
            [f"{one.bit_start} {one.bit_length}", one.name, shown_text(one.text)]
            for one in tree.walk()
            if not one.children
        ]
        assert shown == leaves


@pytest.mark.parametrize("version", [4, 6])
def test_a_frame_that_was_cut_anywhere_has_a_page(tmp_path, version):
    ends = ("10.0.0.1", "10.0.0.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
    segment = packets.tcp(*ends, 40000, 9898, 1, 1, packets.PSH | packets.ACK, payload=b"hello")
    frame = packets.link(packets.ETHERNET, (packets.ipv4 if version == 4 else packets.ipv6)(*ends, segment))
    cut = [(number, frame[:number], len(frame)) for number in range(1, len(frame) + 1)]
    (tmp_path / "cut.pcap").write_bytes(packets.pcap(cut))
    data = data_of(tmp_path / "cut.pcap")
    assert len(data["lengths"]) == len(frame)
    last = data["frames"][-1]["from"]
    assert last == ("10.0.0.1:40000" if version == 4 else "[2001:db8::1]:40000")


def test_every_message_of_a_record_is_read():
    """A server of TLS 1.2 puts its hello, certificate, key exchange and done into one record, or into a few."""
    data = data_of(CHAT / "tls12.pcapng", keys_of(CHAT / "tls12.pcapng"))
    kinds = [kind for record in data["records"] for kind in record["kinds"]]
    assert {1, 2, 11, 12, 14} <= set(kinds)
    opened = data_of(CHAT / "tls13.pcapng", keys_of(CHAT / "tls13.pcapng"))["inner"]
    assert {8, 11, 15, 20} <= {
        kind for records in opened.values() for record in records for kind in record["kinds"]
    }


def test_a_message_in_two_frames_is_shown_where_it_is_complete(open_page):
    tab = open_page(CAPTURES / "today" / "tls13-x25519mlkem768.pcapng", fragment="#frame-5")
    tab.click("text=Client Hello of frames 4, 5")
    tab.locator(".bytes").press("Home")
    assert "byte 0, in frame 4" in tab.inner_text(".meaning")
    tab.locator(".bytes").press("End")
    assert "in frame 5" in tab.inner_text(".meaning")


def test_a_stream_is_shown_in_its_own_order(tmp_path):
    """A segment that overtook another waits for it, as in the receiver."""
    ends, frames = ("10.0.0.1", "10.0.0.2"), []
    pieces = [
        (packets.SYN, 0, b""),
        (packets.ACK, 1, b"one "),
        (packets.ACK, 9, b"three"),
        (packets.ACK, 5, b"two "),
    ]
    for number, (flags, seq, payload) in enumerate(pieces):
        segment = packets.tcp(*ends, 40000, 9898, seq, 1, flags, payload=payload)
        frame = packets.link(packets.ETHERNET, packets.ipv4(*ends, segment))
        frames.append((number * 1000, frame, len(frame)))
    (tmp_path / "x.pcap").write_bytes(packets.pcap(frames))
    [flow] = data_of(tmp_path / "x.pcap")["flows"]
    assert [frame for _, frame, *_ in flow["pieces"]] == [2, 4, 3]


def test_a_question_of_arp_and_its_answer_are_said_in_words():
    rows = data_of(CAPTURES / "lessons" / "arp.pcapng")["frames"]
    said = {row["info"] for row in rows if row["protocol"] == "ARP"}
    address, card = "10.27.27.131", "02:00:00:00:00:66"
    assert f"Who has {address}? Tell 10.27.27.206" in said and f"{address} is at {card}" in said, said
