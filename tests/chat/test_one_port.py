"""Both wires, with and without TLS, in one room on one port; and what narrows that."""

import json

import pytest

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.events import Lost
from lab.chat.features.restrictions import OneWire, TlsOnly
from lab.chat.login import ChatError, Login
from lab.chat.report_wire import as_text
from lab.chat.tls import client_context, server_context
from lab.stages import report
from tests.chat.report_peer import ReportClient
from tests.chat.rig import joined, json_client, raw, read_to_end, say, until
from tests.stages.rig import serving


def test_everybody_in_one_room(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key))
    trust = client_context(ours.ca)
    with ReportClient("Brandon", server.port) as brandon:
        brandon.until(["Brandon"])
        john = joined("John", server, tls=trust)
        brandon.until(["Brandon", "John"])
        alice = json_client("Alice", server)
        bob = json_client("Bob", server, tls=trust)
        everyone = ("Brandon", "John", "Alice", "Bob")
        assert server.room.names == everyone
        brandon.until(list(everyone))
        until(john, events.Users(everyone))
        bob.ask_users()
        until(bob, events.Users(everyone))
        assert bob.connection.tls_version and not alice.connection.tls_version

        bob.say("hello ä€")
        brandon.until(lambda read: "<Bob> hello ä€" in str(read))
        until(john, lambda event: "<Bob> hello ä€" in str(as_text(event)))
        until(alice, lambda event: event == events.Said("Bob", "hello ä€", "1"))
        brandon.send("hi")
        until(alice, events.Said("Brandon", "hi"))
        until(bob, events.Said("Brandon", "hi"))
        until(john, lambda event: "<Brandon> hi" in str(as_text(event)))
        alice.leave()
        until(bob, events.Left("Alice"))
        brandon.until(["Brandon", "John", "Bob"])
        john.leave()
        until(bob, events.Left("John"))
    until(bob, events.Left("Brandon"))
    bob.leave()


def test_lines_glued_and_cut(serve):
    """TCP may cut and glue as it likes: three requests in one segment, then one in three."""
    server = serve()
    listener = json_client("Listener", server)
    with raw(server.port) as peer:
        peer.sendall(b'{"event":"join","name":"Glue"}\n{"event":"say","text":"one"}\n{"event":"say","te')
        until(listener, events.Said("Glue", "one"))
        peer.sendall('xt":"zwei ä'.encode()[:-1])
        peer.sendall("ä".encode()[1:] + b'"}\n')
        until(listener, events.Said("Glue", "zwei ä"))
        peer.sendall(b'{"event":"leave"}\n')
        assert read_to_end(peer).startswith(b'{"event":"welcome"')
    until(listener, events.Left("Glue"))
    listener.leave()


@pytest.mark.parametrize(
    "first, reason",
    [
        (b'{"event":"join","name":"alice"}\n', "name_taken"),
        (b'{"event":"join","name":"\\u0001"}\n', "bad_name"),
        (b'{"event":"join","name":"*** a Connected ***"}\n', "name_imitates"),
        (b'{"event":"say","text":"a"}\n', "bad_event"),
        (b'{"event":"join"}\n', "bad_event"),
        (b"{garbage}\n", "bad_json"),
        (b'{"\xff"}\n', "bad_utf8"),
        (b"{" + b"x" * 20_000, "too_long"),
    ],
)
def test_a_bad_beginning_is_answered_with_a_reason_and_closed(serve, first, reason):
    server = serve()
    alice = json_client("Alice", server)
    with raw(server.port) as peer:
        peer.sendall(first)
        answer = read_to_end(peer)
    assert json.loads(answer)["reason"] == reason
    assert server.said.wait_for("Refused")
    assert server.room.names == ("Alice",)
    alice.leave()


def test_later_a_broken_rule_is_answered_and_the_room_goes_on(serve):
    server = serve()
    alice = json_client("Alice", server)
    for broken, reason in (
        (b'{"event":"dance"}\n', "unknown_event"),
        (b'{"event":"say"}\n', "bad_event"),
        (b'{"event":"say","text":"a\\nb","id":"5"}\n', "bad_text"),
        (b'{"event":"msg","to":"Alice","text":"x"}\n', "not_offered"),
        (b'{"event":"nick","name":"x"}\n', "not_offered"),
        (b'{"event":"join","name":"x"}\n', "bad_event"),
    ):
        alice.connection.send(broken)
        error = until(alice, events.Refused)[-1]
        assert error.reason == reason and error.id == ("5" if b"id" in broken else None)
    say(alice, "still here")
    alice.connection.send(b"no json\n")
    assert until(alice, Lost)[-2].reason == "bad_json"


def test_names_across_the_wires(serve):
    server = serve()
    alice = json_client("Alice", server)
    with pytest.raises(ChatError, match="that name already"):
        ChatClient(Login("ＡLICE", "127.0.0.1", server.port, wire="json")).connect()
    with raw(server.port) as peer:  # a report user does not get a checked name
        peer.sendall(b"alice")
        assert b"Refused" in read_to_end(peer)
    brandon = joined("Brandon", server)
    again = joined("Brandon", server)  # among themselves, as in the report
    with pytest.raises(ChatError, match="that name already"):
        ChatClient(Login("brandon", "127.0.0.1", server.port, wire="json")).connect()
    brandon.leave()
    until(alice, events.Left("Brandon"))
    with pytest.raises(ChatError, match="that name already"):
        ChatClient(Login("brandon", "127.0.0.1", server.port, wire="json")).connect()
    again.leave()
    until(alice, events.Left("Brandon"))
    json_client("brandon", server).leave()
    alice.leave()
    until(alice, Lost)
    json_client("Alice", server).leave()


@pytest.mark.parametrize("only", ["report", "json"])
def test_one_wire_alone(serve, only):
    server = serve(features=[OneWire(only)])
    joined("A", server, wire=only).leave()
    if only == "report":
        with pytest.raises(ChatError, match="does not speak the json wire"):
            ChatClient(Login("B", "127.0.0.1", server.port, wire="json")).connect()
    else:
        with raw(server.port) as peer:
            peer.sendall(b"B")
            assert b"does not speak the report wire" in read_to_end(peer)


def test_lines_to_a_server_of_the_report():
    with serving(report) as server:
        with ReportClient("John", server.port) as john:
            client = ChatClient(Login("Alice", "127.0.0.1", server.port, wire="json"))
            import lab.chat.client as module

            patience, module.CONNECT_S = module.CONNECT_S, 1
            try:
                with pytest.raises(ChatError) as error:
                    client.connect()
            finally:
                module.CONNECT_S = patience
            assert "\n" not in str(error.value)
            john.send("still fine")
            john.until("<John> still fine")


def test_tls_only_refuses_lines_in_their_own_language(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key), features=[TlsOnly()])
    with pytest.raises(ChatError, match="TLS only"):
        ChatClient(Login("B", "127.0.0.1", server.port, wire="json")).connect()
    json_client("B", server, tls=client_context(ours.ca)).leave()


def test_a_full_room(serve):
    server = serve(max_members=1)
    alice = json_client("Alice", server)
    with pytest.raises(ChatError, match="full"):
        ChatClient(Login("B", "127.0.0.1", server.port, wire="json")).connect()
    alice.leave()


def test_every_interface_at_once(serve):
    server = serve(host="")
    joined("four", server, host="127.0.0.1").leave()
    try:
        client = joined("six", server, host="::1")
    except ChatError as error:
        pytest.skip(f"no IPv6 here: {error}")
    client.leave()


def test_the_server_tells_everybody_that_it_closes(serve):
    server = serve()
    alice, brandon = json_client("Alice", server), joined("Brandon", server)
    server.stop()
    assert events.Notice("Server Closed") in until(alice, Lost)
    assert any("Server Closed" in str(event) for event in until(brandon, Lost))


@pytest.mark.parametrize("block", [256, 1_000])
def test_padding_hides_the_length(serve, ours, block):
    """Both directions, seen below TLS: every record of application data has the same length."""
    server = serve(tls=server_context(ours.certificate, ours.key), pad_to=block)
    seen = []
    alice = json_client(
        "Alice",
        server,
        tls=client_context(ours.ca, "1.3"),
        pad_to=block,
        tap=lambda way, data: seen.append((way, data)),
    )
    del seen[:]
    for text in ("y", "a longer text, of forty characters or so"):
        say(alice, text)
    assert {(way, len(data)) for way, data in seen} == {("sent", block + 22), ("received", block + 22)}
    alice.leave()


def test_and_the_twin_without_padding(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key))
    seen = []
    alice = json_client(
        "Alice", server, tls=client_context(ours.ca), tap=lambda way, data: seen.append(len(data))
    )
    del seen[:]
    for text in ("y", "a longer text, of forty characters or so"):
        say(alice, text)
    assert len(set(seen)) == len(seen) == 4
    alice.leave()
