"""How long a server kept what it passed on, from one recording of both sides."""

import pytest

from lab.dissect.files.capture_file import CaptureWriter
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.forwarding import delays
from lab.dissect.tcp.segments import read_segments
from tests.dissect import packets
from tests.dissect.packets import ACK, PSH, SYN

SERVER = "10.0.0.9"


@pytest.fixture
def streams(tmp_path):
    """(what came from one client, what went to another) in a small capture: hello, bye, bye; the last is still kept."""
    path = tmp_path / "passing.pcapng"
    writer = CaptureWriter(path)
    writer.add_interface("eth0", packets.ETHERNET, "", 2048)
    time_ms = 0

    def segment(client: str, from_client: bool, seq: int, flags: int, payload: bytes = b"") -> None:
        nonlocal time_ms
        source, target = (client, SERVER) if from_client else (SERVER, client)
        ports = (5000, 9898) if from_client else (9898, 5000)
        tcp = packets.tcp(source, target, *ports, seq, 1, flags, payload=payload)
        frame = bytes(12) + b"\x08\x00" + packets.ipv4(source, target, tcp)
        writer.write(frame, time_ms * 1_000_000, 0, len(frame))
        time_ms += 10

    segment("10.0.0.1", True, 0, SYN)
    segment("10.0.0.2", True, 0, SYN)
    segment("10.0.0.1", True, 1, PSH | ACK, b"hello")
    segment("10.0.0.2", False, 1, PSH | ACK, b"<A> hello")
    segment("10.0.0.1", True, 6, PSH | ACK, b"byebye")
    segment("10.0.0.2", False, 10, PSH | ACK, b"<A> b")
    segment("10.0.0.2", False, 15, PSH | ACK, b"ye")
    writer.close()
    one, other = find_flows(read_segments(path))
    return one.from_initiator, other.from_responder


def test_it_says_when_each_came_and_went(streams):
    hello, bye, again = delays(*streams, [b"hello", b"bye", b"bye"])
    assert (hello.wait_s, bye.wait_s) == (0.01, 0.02), "it is there with its last byte"
    assert again.came_ns == bye.came_ns and again.went_ns is again.wait_s is None, "the second one is kept"


def test_what_never_came_has_no_times(streams):
    [nothing, empty] = delays(*streams, [b"good morning", b""])
    assert nothing.came_ns is nothing.went_ns is nothing.wait_s is None
    assert empty.came_ns is None
