"""Entropy and lengths: numbers that can be checked by hand or by simulation, and pictures that show them."""

import zlib

import pytest

from lab.charts import describe_entropy, describe_length_leak, draw_entropy, draw_length_leak
from lab.dissect.tls.records import APPLICATION_DATA, read_records
from lab.exposure.leaks import BYTE_VALUES, byte_entropy_bits, random_entropy_bits
from tests.charts.looks import inspect_text


def said(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_plaintext_is_far_from_random_and_ciphertext_is_not(plain, encrypted):
    text = plain.from_responder.data
    hidden = b"".join(
        record.payload
        for record in read_records(encrypted.from_responder)
        if record.content_type == APPLICATION_DATA
    )
    assert random_entropy_bits(len(text)) - byte_entropy_bits(text) > 2
    assert abs(random_entropy_bits(len(hidden)) - byte_entropy_bits(hidden)) < 0.05
    streams = {"plaintext": text, "TLS 1.3": hidden}
    ax = draw_entropy(streams)
    assert len(ax.containers) == 2 and len(text) != len(hidden)
    shortest = min(len(text), len(hidden))
    streams = {name: data[:shortest] for name, data in streams.items()}
    for bars, (name, data) in zip(ax.containers, streams.items(), strict=True):
        heights = [abs(bar.get_height()) for bar in bars]
        assert len(heights) == BYTE_VALUES and bars.get_label() == name
        assert heights.index(max(heights)) == max(range(BYTE_VALUES), key=data.count)
        assert any(
            f"{byte_entropy_bits(data):.2f} of 8 bits a byte; {len(data):,} bytes" in text
            for text in said(ax)
        )
    assert inspect_text(ax) == []
    told = describe_entropy(streams).splitlines()
    assert told[0].startswith(
        f"plaintext: {byte_entropy_bits(text[:shortest]):.2f} bits a byte, where as many random bytes would show"
    )


def test_lanes_share_one_scale():
    ax = draw_entropy({"one value": b"a" * 10, "two values": b"ab" * 5})
    tallest = [max(abs(bar.get_height()) for bar in bars) for bars in ax.containers]
    assert tallest[0] == pytest.approx(2 * tallest[1])


def test_a_longer_stream_shows_no_more_than_a_shorter_one():
    """Cut to one length: 256 bytes are as random as 2,560."""
    values = bytes(range(256))
    ax = draw_entropy({"long": values * 10, "short": values})
    assert [text.split(";")[0] for text in said(ax)] == ["8.00 of 8 bits a byte"] * 2
    assert all("; 256 bytes" in text for text in said(ax))
    long, short = describe_entropy({"long": values * 10, "short": values[:100]}).splitlines()
    assert long.removeprefix("long") == short.removeprefix("short")


def test_compressed_text_looks_nearly_as_random_as_ciphertext():
    text = "".join(
        f"line {number}: {number * 7919 % 1009} of {number * 104729 % 99991}\n" for number in range(3000)
    )
    data = {"text": text.encode(), "compressed": zlib.compress(text.encode())}
    shown = {line.split(":")[0]: float(line.split()[1]) for line in describe_entropy(data).splitlines()}
    assert shown["text"] < 5 and shown["compressed"] > 7.9
    assert zlib.decompress(data["compressed"]) == data["text"]  # and no key is needed


def test_small_samples_are_called_small_and_none_is_no_bytes():
    def remarks(streams):
        return [("small sample" in text, text == "no bytes") for text in said(draw_entropy(streams))]

    assert remarks({"few": b"abc", "many": bytes(3000), "none": b""}) == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert remarks({"many": bytes(3000), "none": b""}) == [(False, False), (False, True)]
    assert remarks({"none": b""}) == [(False, True)]
    assert inspect_text(draw_entropy({"few": b"abc", "many": bytes(3000), "none": b""})) == []
    told = describe_entropy({"few": b"abc", "none": b""})
    assert "A small sample." in told and told.endswith("none: no bytes.")
    with pytest.raises(ValueError, match="no streams"):
        draw_entropy({})


TRUE = [5, 17, 24, 9, 3, 3, 5, 40, 61, 28, 17, 5, 12]
INFERRED = {
    "plaintext": TRUE,
    "TLS 1.3": TRUE,
    "TLS 1.3 padded": [-(-length // 32) * 32 for length in TRUE],
    "some": [None if length < 6 else length for length in TRUE],
}


def test_lengths_are_where_they_belong():
    ax = draw_length_leak(TRUE, INFERRED)
    assert key(ax) == [
        "the guess is right",
        "plaintext:\n13 of 13 right,\n9 lengths look like 9",
        "TLS 1.3:\n13 of 13 right,\n9 lengths look like 9",
        "TLS 1.3 padded:\n0 of 13 right,\n9 lengths look like 2",
        "some:\n8 of 13 right,\n7 lengths look like 7,\n5 without a guess",
    ]
    padded = ax.lines[3]
    assert list(padded.get_xdata()) == TRUE and set(padded.get_ydata()) == {32, 64}
    assert inspect_text(ax) == []


def test_variants_in_one_place_stand_round_each_other():
    marks = draw_length_leak(TRUE, INFERRED).lines[1:]
    assert len({mark.get_marker() for mark in marks}) == len(marks)
    sizes = [mark.get_markersize() for mark in marks]
    assert sizes == sorted(set(sizes)) and {mark.get_markerfacecolor() for mark in marks} == {"none"}


def test_the_twin_says_how_far_off():
    assert describe_length_leak(TRUE, INFERRED).splitlines()[2] == (
        "TLS 1.3 padded: 0 of 13 right, 9 lengths look like 2; the wrong ones are off by +3 to +29 bytes."
    )


def test_lengths_must_be_as_many_as_messages():
    with pytest.raises(ValueError, match="short: 1 length for 2 messages"):
        draw_length_leak([1, 2], {"short": [1]})
    assert inspect_text(draw_length_leak([], {"nobody spoke": []})) == []
