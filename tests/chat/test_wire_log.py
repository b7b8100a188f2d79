"""The wire view's bytes: cut into records rightly, and the very ones that a recording made at the same time holds."""

import random

import pytest

from lab.chat.client import ChatClient
from lab.chat.server import ChatServer
from lab.chat.tls import client_context, server_context
from lab.chat.wire_log import MAX_PIECES, SHOWN_BYTES, WireLog
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.harness import certificates
from lab.harness.tap import Tap
from tests.chat.rig import Console, joined, json_client, say


def test_records_are_put_together_however_they_were_read():
    records = [
        bytes([kind, 3, 3, *len(body).to_bytes(2, "big")]) + body
        for kind, body in ((22, b"h" * 300), (23, b"x"))
    ]
    stream = b"".join(records * 3)
    dice = random.Random(1)
    for _ in range(50):
        log, at = WireLog(tls=True), 0
        while at < len(stream):
            step = dice.randrange(1, 200)
            log("sent", stream[at : at + step])
            at += step
        assert [piece.data for piece in log.pieces] == records * 3
        assert [piece.kind for piece in log.pieces] == ["handshake", "application data"] * 3


def test_what_is_not_tls_is_shown_as_what_it_is():
    log = WireLog(tls=True)
    log("received", b"220 mail.example ESMTP\r\n")
    assert [(piece.kind, piece.data) for piece in log.pieces] == [
        ("plaintext", b"220 mail.example ESMTP\r\n")
    ]


def test_a_dump():
    log = WireLog(tls=False)
    log("sent", b"<Brandon> hello \xc3\xa4\x1b[2J")
    (piece,) = log.pieces
    assert piece.dump() == [
        "0000  3c 42 72 61 6e 64 6f 6e 3e 20 68 65 6c 6c 6f 20  <Brandon> hello ",
        "0010  c3 a4 1b 5b 32 4a                                ...[2J",
    ]
    assert piece.title.startswith("--> sent ") and piece.title.endswith("plaintext, 22 bytes")
    log("received", b"x" * (SHOWN_BYTES + 7))
    assert log.pieces[-1].dump()[-1] == "...   and 7 more"


def test_is_bounded():
    log = WireLog(tls=False)
    for i in range(MAX_PIECES + 10):
        log("sent", str(i).encode())
    pieces, following = log.since(0)
    assert len(pieces) == MAX_PIECES and pieces[0].data == b"10" and following == MAX_PIECES + 10
    assert log.since(following) == ([], following)
    assert log.since(following - 1)[0] == pieces[-1:]


@pytest.mark.records
def test_is_what_a_recording_made_at_the_same_time_holds(tmp_path):
    made = certificates.issue(tmp_path)
    for tls, speaks in ((False, "report"), (False, "json"), (True, "json"), (True, "report")):
        console = Console()
        context = server_context(made.certificate, made.key)
        with ChatServer("127.0.0.1", 0, context, console) as server:
            server.said = console
            log = WireLog(tls)
            with Tap(tmp_path / "recording.pcapng", server.port):
                trust = client_context(made.ca) if tls else None
                options = {"tls": trust, "tap": log}
                client = joined("Brandon", server, **options) if speaks == "report" else None
                client = client or json_client("Brandon", server, **options)
                port = client.connection.local[1]
                say(client, "hello ä€")
                say(client, "x" * 900)
                client.leave()
        flows = find_flows(read_segments(tmp_path / "recording.pcapng"))
        (flow,) = [flow for flow in flows if flow.initiator.port == port]
        for way, stream in (("sent", flow.from_initiator), ("received", flow.from_responder)):
            recorded = bytes(stream.data)
            assert recorded == b"".join(piece.data for piece in log.pieces if piece.way == way), (
                tls,
                speaks,
                way,
            )
        assert all(piece.encrypted is tls for piece in log.pieces)
        assert (b"hello" in b"".join(piece.data for piece in log.pieces)) is not tls
        assert isinstance(client, ChatClient)
