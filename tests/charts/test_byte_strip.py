"""The byte strip: each byte once, under the name of its field, marked by who can read it."""

import pytest

from lab.charts import describe_byte_strip, draw_byte_strip, frame_spans
from lab.charts.byte_strip import MOST_BYTES, READERS
from lab.charts.inks import BLACK
from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import read_capture
from lab.exposure.readers import Span, payload_spans
from tests.charts.looks import contrast, grey, inspect_text
from tests.support import CAPTURES


@pytest.fixture(scope="module")
def frame_1193():
    return bytes(read_capture(CAPTURES / "report-frame-1193.pcapng").frame(1))


def payloads(flow):
    return [bytes(flow.segments.payload(row)) for row in flow.rows if flow.segments.payload_length[row]]


def cells(ax):
    return [patch.get_gid().partition(": ")[2] for patch in ax.patches if patch.get_gid()]


def said(ax):
    return [text.get_text() for text in ax.texts]


def test_the_reports_frame_byte_by_byte(frame_1193):
    ax = draw_byte_strip(frame_1193, frame_spans(dissect_frame(frame_1193)))
    assert cells(ax) == ["header"] * 54 + ["plaintext"] * 15
    written = said(ax)
    for name in ("Ethernet source", "IPv4 source", "Source port", "Sequence number", "Data"):
        assert name in written or any(text.endswith(f"  {name}") for text in written), name
    assert [text for text in written if len(text) == 2][:16] == frame_1193[:16].hex(" ").split()
    assert "protocol header: anyone on the path reads it (54 bytes)" in written
    assert inspect_text(ax) == []


def test_spans_cover_a_frame_once(frame_1193):
    spans = frame_spans(dissect_frame(frame_1193))
    assert spans[0].start == 0 and spans[-1].end == len(frame_1193)
    assert all(one.end == other.start for one, other in zip(spans, spans[1:], strict=False))
    assert "Version, header length" in [span.name for span in spans]  # two fields in one byte


def test_tls_records_are_headers_and_ciphertext(encrypted, plain):
    record = payloads(encrypted)[8]
    assert record[0] == 0x17
    assert [(span.length, span.reader) for span in payload_spans(record)] == [
        (1, "header"),
        (2, "header"),
        (2, "header"),
        (len(record) - 5, "ciphertext"),
    ]
    assert cells(draw_byte_strip(record)) == ["header"] * 5 + ["ciphertext"] * (len(record) - 5)
    hello = payload_spans(payloads(encrypted)[0])
    assert [span.reader for span in hello] == ["header"] * 3 + ["plaintext"]
    assert [span.reader for span in payload_spans(payloads(plain)[0])] == ["plaintext"]


@pytest.mark.parametrize("which", ["plain", "encrypted"])
def test_nothing_overlaps_or_is_cut(which, request):
    for payload in payloads(request.getfixturevalue(which))[:5]:
        assert inspect_text(draw_byte_strip(payload)) == []


def test_a_long_payload_says_how_much_is_missing(encrypted):
    payload = payloads(encrypted)[1]
    ax = draw_byte_strip(payload)
    assert len(cells(ax)) == MOST_BYTES and f"… {len(payload) - MOST_BYTES} bytes left out …" in said(ax)


def test_spans_of_ones_own():
    spans = [Span(4, 2, "a $very$ long name that has no room", "ciphertext"), Span(0, 3, "xor", "padding")]
    ax = draw_byte_strip(b"$x$ \x00\xff", spans)
    assert cells(ax) == ["padding"] * 3 + [""] + ["ciphertext"] * 2
    assert "a  a $very$ long name that has no room" in said(ax)
    assert inspect_text(ax) == []
    assert "1 byte not named." in describe_byte_strip(b"$x$ \x00\xff", spans)


@pytest.mark.parametrize("spans", [[(0, 9, "a", "header")], [(0, 2, "a", "header"), (1, 2, "b", "header")]])
def test_spans_that_cannot_be_are_refused(spans):
    with pytest.raises(ValueError, match="overlaps"):
        draw_byte_strip(b"12345678", [Span(*span) for span in spans])
    with pytest.raises(ValueError, match="there are header, plaintext"):
        draw_byte_strip(b"1", [Span(0, 1, "a", "nobody")])


def test_no_bytes_are_no_cells():
    assert cells(draw_byte_strip(b"")) == [] and describe_byte_strip(b"") == "0 bytes:"


def test_readers_are_told_apart_on_grey_paper():
    looks = [look for reader, look in READERS.items() if reader]
    assert len({look.hatch for look in looks}) == len(looks)
    assert abs(grey(READERS["plaintext"].ground) - grey(READERS["ciphertext"].ground)) > 0.1
    assert all(contrast(BLACK, look.ground) > 7 for look in looks)


def test_the_twin_has_every_field(frame_1193):
    told = describe_byte_strip(frame_1193, frame_spans(dissect_frame(frame_1193))).splitlines()
    assert told[:3] == [
        "69 bytes:",
        "54 bytes of protocol header: anyone on the path reads it.",
        "15 bytes of plaintext: anyone on the path reads it.",
    ]
    assert "Bytes 38 to 41, Sequence number (header): 06 e5 1b fa" in told
    assert told[-1].endswith("text '<Brandon> hello'")
