"""Bytes that nobody meant: hypothesis on each parser by itself, and a short run of the fuzzer on all of them.

The long run is a command of its own: ``python -m tests.dissect.fuzz --mutants 100000``.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.dissect.fields.frame import dissect_frame
from lab.dissect.fields.tls import dissect_handshake
from lab.dissect.fields.tree import Cursor
from lab.dissect.files.capture_file import CaptureError, CaptureWriter, parse_capture
from lab.dissect.packets.link_layer import LINK_SLL2
from lab.dissect.tcp.flows import find_flow, find_flows
from lab.dissect.tcp.options import read_options, walk_options
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls import key_schedule
from lab.dissect.tls.certificates import certificate_names
from lab.dissect.tls.records import parse_records
from lab.dissect.tls.session import open_flow
from tests.dissect import fuzz, packets
from tests.dissect.frames import check_cover, some

MAGICS = st.sampled_from(
    [b"", packets.section(), packets.section(">"), packets.pcap([]), packets.pcap([], order=">")]
)
LINKS = st.sampled_from([0, 1, 101, 108, 113, 228, 229, LINK_SLL2, 77])


@some
@given(MAGICS, st.binary(max_size=300))
def test_files(start, data):
    try:
        capture = parse_capture(start + data)
    except CaptureError as error:
        assert "\n" not in str(error)
    else:
        find_flows(read_segments(capture))


@some
@given(LINKS, st.binary(max_size=200))
def test_frames(link_type, data):
    check_cover(dissect_frame(data, link_type), len(data))
    segments = read_segments(parse_capture(packets.pcap([(0, data, len(data))], link_type)))
    for i in range(len(segments)):
        assert segments.info(i)


@some
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_headers_with_any_options(options):
    """Any forty bytes as TCP options: walked alike one by one and all together."""
    frames = []
    for some_options in options:
        segment = packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, 3, 4, 24, options=some_options[:40], payload=b"x")
        frames.append(packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", segment)))
    segments = read_segments(
        parse_capture(packets.pcap([(i, one, len(one)) for i, one in enumerate(frames)]))
    )
    assert len(segments) == len(frames)
    for i, frame in enumerate(frames):
        check_cover(dissect_frame(frame), len(frame))
        area = frame[54 : -1 if len(frame) > 54 else None][: segments.header_length[i] - 20]
        kinds = [(kind, length) for kind, _, length in walk_options(area)]
        assert (segments.options.mss[i] >= 0) == ((2, 4) in kinds)
        assert (segments.options.timestamp[i] >= 0) == ((8, 10) in kinds)
        assert segments.options.sack_permitted[i] == ((4, 2) in kinds)


@some
@given(st.binary(max_size=80))
def test_options_at_the_end_of_the_file(data):
    buffer = np.frombuffer(data, np.uint8)
    size = np.array([len(data)])
    found = read_options(buffer, size * 0, size)
    assert (found.sack_count <= 4).all()


@some
@given(st.binary(max_size=300), st.integers(0, 30))
def test_records_and_messages(data, kind):
    records = parse_records(data)
    assert records.end <= len(data)
    assert all(len(record.payload) == record.length for record in records)
    message = bytes([kind]) + len(data).to_bytes(3, "big") + data
    check_cover(dissect_handshake(Cursor(message, 0, len(message))), len(message))
    assert key_schedule.parse_key_log(data) is not None
    assert certificate_names(data) is None


@some
@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=120)), max_size=8))
def test_sessions(writes):
    """Bytes that look like TLS records, in both directions of one flow."""
    numbers, frames = [1, 1], []
    for way, data in writes:
        ends = ("10.0.0.1", "10.0.0.2", 5, 6) if way else ("10.0.0.2", "10.0.0.1", 6, 5)
        record = bytes([20 + data[0] % 5, 3, 3]) + len(data).to_bytes(2, "big") + data
        segment = packets.tcp(*ends, numbers[way], numbers[not way], 24, payload=record)
        numbers[way] += len(record)
        frames.append(packets.link(1, packets.ipv4(*ends[:2], segment)))
    segments = read_segments(
        parse_capture(packets.pcap([(i, one, len(one)) for i, one in enumerate(frames)]))
    )
    for flow in find_flows(segments):
        session = open_flow(flow)
        assert len(session.records) == len(writes)


@some
@given(st.binary(min_size=1, max_size=400), st.data())
def test_any_cut_any_order_any_repetition_is_the_same_stream(sent, draw):
    """Cut a text anywhere, send the pieces in any order and some of them twice: what arrives is the text."""
    isn = draw.draw(st.sampled_from([0, 7, 2**31, 2**32 - 1, 2**32 - 200]))
    cuts = sorted(draw.draw(st.sets(st.integers(1, max(1, len(sent) - 1)), max_size=12)) | {0, len(sent)})
    pieces = [(start, sent[start:end]) for start, end in zip(cuts, cuts[1:], strict=False)]
    longer = [(start, sent[start : start + 50]) for start, _ in pieces]
    order = draw.draw(st.permutations(pieces + draw.draw(st.lists(st.sampled_from(longer), max_size=5))))
    frames = [packets.tcp("10.0.0.1", "10.0.0.2", 5, 6, isn, 0, 2)]
    frames += [
        packets.tcp("10.0.0.1", "10.0.0.2", 5, 6, isn + 1 + at, 1, 16, payload=data) for at, data in order
    ]
    frames = [packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", one)) for one in frames]
    segments = read_segments(
        parse_capture(packets.pcap([(i, one, len(one)) for i, one in enumerate(frames)]))
    )
    for stream in (find_flow(segments, 0).from_initiator, find_flows(segments)[0].from_initiator):
        assert stream.data == sent and stream.gaps == []
        assert sum(piece.length for piece in stream.pieces) == len(sent)
        assert all(0 < number <= len(frames) for number in stream.frames(0, len(sent)))


@some
@given(st.lists(st.tuples(st.binary(max_size=99), st.integers(0, 2**62), st.text(max_size=9)), max_size=9))
def test_what_is_written_is_read(frames):
    import io

    file = io.BytesIO()
    with CaptureWriter(file) as writer:
        writer.add_interface("any")
        for data, time_ns, comment in frames:
            writer.write(data, time_ns, comment=comment or None)
    capture = parse_capture(file.getvalue())
    assert [bytes(capture.frame(i + 1)) for i in range(len(frames))] == [data for data, _, _ in frames]
    assert capture.time_ns.tolist() == [time_ns for _, time_ns, _ in frames]
    comments = {i: [text.rstrip("\0")] for i, (_, _, text) in enumerate(frames, 1) if text}
    assert capture.frame_comments == comments


@pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer measures its memory as Linux shows it")
@pytest.mark.parametrize("many", [200, pytest.param(2000, marks=pytest.mark.maintainers)])
def test_mutants(tmp_path, many):
    command = [sys.executable, "-m", "tests.dissect.fuzz", "--mutants", str(many), "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=fuzz.ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{many} mutants:" in done.stdout and " 0 finds" in done.stdout


def test_the_fuzzer_finds_a_planted_fault(tmp_path, monkeypatch, capsys):
    """One mutant in a few meets a fault that was put in: it is counted, told and kept."""
    monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *_: None)
    right, calls = fuzz.through_everything, []

    def faulty(data):
        calls.append(data)
        if len(calls) > 30 and len(data) % 3 == 0:
            raise ZeroDivisionError("planted")
        return right(data)

    monkeypatch.setattr(fuzz, "through_everything", faulty)
    finds = fuzz.fuzz(range(60), 1, tmp_path)
    assert finds > 0 and len(list(tmp_path.glob("find-1-*"))) == finds
    assert "planted" in capsys.readouterr().out
