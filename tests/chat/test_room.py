"""Server and clients over real sockets: ours with ours, and ours with the report's own, both ways."""

import contextlib
import socket
import threading

import pytest

from lab.chat import events
from lab.chat.broadcaster import Broadcaster
from lab.chat.client import ChatClient
from lab.chat.connection import Connection, ConnectionLost, shut_down
from lab.chat.events import Lost
from lab.chat.features import Feature
from lab.chat.json_wire import JsonWire
from lab.chat.listener import ServerError
from lab.chat.login import ChatError, Login
from lab.chat.member import Member
from lab.chat.report_wire import ReportWire
from lab.chat.server import ChatServer
from tests.chat.report_peer import ReportClient
from tests.chat.rig import BOUND_S, joined, raw, read_to_end, say, until


def test_a_conversation(serve):
    server = serve()
    brandon = joined("Brandon", server)
    john = joined("John", server)
    assert until(brandon, events.Users(("Brandon", "John")))
    say(brandon, "hello")
    assert until(john, events.Said("Brandon", "hello"))[-1].name == "Brandon"
    say(john, "hi ä€𝄞")
    seen = until(brandon, events.Said("John", "hi ä€𝄞"))
    assert [event for event in seen if isinstance(event, events.Said)] == [
        events.Said("Brandon", "hello"),
        events.Said("John", "hi ä€𝄞"),
    ]
    john.leave()
    assert until(john, Lost)[-1] == Lost(None)
    assert until(brandon, events.Users(("Brandon",)))
    assert server.room.names == ("Brandon",)
    brandon.leave()


def test_the_console_says_what_figure_4_4_shows(serve):
    server = serve()
    client = joined("Brandon", server)
    port = client.connection.local[1]
    assert server.said.lines[0] == "Allowing Connections..."
    server.said.wait_for(f"*** Brandon Connected (IP: 127.0.0.1 | Remote addr: {port}) ***")
    client.leave()
    server.said.wait_for(f"*** <Brandon> (IP: 127.0.0.1 | Remote addr: {port}) Disconnected ***")
    server.stop()
    assert server.said.lines[-1] == "Close Connections..."


def test_a_client_that_vanishes_leaves_the_list(serve):
    """In the report it stays in there for ever."""
    server = serve()
    stays, goes = joined("stays", server), joined("goes", server)
    until(stays, events.Users(("stays", "goes")))
    shut_down(goes.connection.socket)
    until(stays, events.Users(("stays",)))
    assert "without notice" in server.said.wait_for("*** <goes>")
    stays.leave()
    goes.leave()


@pytest.mark.parametrize("name", ["", "  ", "!Exit", "\x1b[2J", "x" * 65])
def test_our_client_refuses_a_bad_name_before_it_connects(serve, name):
    with pytest.raises(ChatError, match="name cannot be used"):
        ChatClient(Login(name, "127.0.0.1", serve().port)).connect()


def test_the_server_refuses_a_bad_name_and_says_why(serve):
    server = serve()
    with raw(server.port) as peer:
        peer.sendall(b"\x1b[31mred")
        assert b"Refused" in (answer := read_to_end(peer)) and b"printed" in answer
        assert b"\x1b" not in answer
    assert "\x1b" not in server.said.wait_for("Refused")
    assert server.room.names == ()


def test_who_says_nothing_is_dropped_after_the_login_time(serve):
    server = serve(login_s=0.2)
    with raw(server.port) as peer:
        assert read_to_end(peer) == b""
    server.said.wait_for("timed out")


def test_no_server_there():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ChatError, match="No server answers"):
        ChatClient(Login("Brandon", "127.0.0.1", port)).connect()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "::zz::", "host name"])
def test_no_such_host(host):
    with pytest.raises(ChatError) as error:
        ChatClient(Login("Brandon", host, 9898)).connect()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_no_such_port(port):
    with pytest.raises(ChatError):
        ChatClient(Login("Brandon", "127.0.0.1", port)).connect()


def test_a_busy_port_and_a_host_that_is_not_ours(serve):
    with pytest.raises(ServerError, match="is taken .* try another --port"):
        ChatServer("127.0.0.1", serve().port, console=print).start()
    with pytest.raises(ServerError, match="cannot listen"):
        ChatServer("203.0.113.1", 0, console=print).start()  # RFC 5737: nobody's address
    with pytest.raises(ServerError, match="cannot listen"):
        ChatServer("no.such.host.invalid", 0, console=print).start()


def test_the_server_goes_away(serve):
    server = serve()
    client = joined("Brandon", server)
    server.stop()
    lost = until(client, Lost)[-1]
    assert lost.reason
    with pytest.raises(ConnectionLost):
        for _ in range(100):  # the first send after a FIN may still be taken by the kernel
            client.say("anybody?")
    client.leave()
    client.leave()


def test_stop_ends_every_thread_and_may_be_called_twice(serve):
    before = set(threading.enumerate())
    server = serve()
    clients = [joined(f"user{i}", server) for i in range(5)]
    silent, hesitant = raw(server.port), raw(server.port)
    hesitant.sendall(b"hesitant")
    server.said.wait_for("hesitant")
    server.stop()
    server.stop()
    for client in clients:
        client.leave()
    silent.close()
    hesitant.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]


def test_ipv6(serve):
    try:
        server = serve(host="::1")
    except ServerError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    client = joined("Brandon", server, host="::1")
    assert client.connection.local[0] == "::1"
    client.leave()


def test_one_silent_reader_freezes_nobody(serve):
    """The report's server holds a lock while it sends, and stands still: tests/stages has its twin."""
    server = serve()
    silent = raw(server.port)
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.sendall(b"silent")
    server.said.wait_for("silent")
    alice, john = joined("Alice", server), joined("John", server)
    text = "x" * 900
    for i in range(20_000):  # 18 MB: more than socket buffers and our own bound hold together
        say(alice, f"{i} {text}")
        until(john, events.Said("Alice", f"{i} {text}"))
        if any("*** <silent>" in line for line in server.said.lines):
            break
    assert "does not read" in server.said.wait_for("*** <silent>")
    assert server.room.names == ("Alice", "John")
    silent.close()
    alice.leave()
    john.leave()


class TestTheReportsOwnPrograms:
    def test_its_client_with_our_server(self, serve):
        server = serve()
        with ReportClient("Brandon", server.port) as brandon:
            brandon.until("*** Brandon Connected ***")
            brandon.until(["Brandon"])
            # It asked for one after the other.
            assert brandon.messages_read == ["*** Brandon Connected ***", ["Brandon"]]
            with ReportClient("John", server.port) as john:
                assert brandon.until(["Brandon", "John"])[0] == "*** John Connected ***"
                john.until(["Brandon", "John"])
                brandon.send("hello ä€")
                brandon.until("<Brandon> hello ä€")
                john.until("<Brandon> hello ä€")
            brandon.until(["Brandon"])

    def test_all_in_one_room(self, serve):
        server = serve()
        ours = [joined(name, server) for name in ("Alice", "Bob")]
        with ReportClient("Brandon", server.port) as brandon:
            # Or it might come later, and name John before he is announced.
            brandon.until(["Alice", "Bob", "Brandon"])
            with ReportClient("John", server.port) as john:
                everyone = ("Alice", "Bob", "Brandon", "John")
                for client in ours:
                    until(client, events.Users(everyone))
                john.until(list(everyone))
                brandon.until(list(everyone))
                brandon.send("from the report's")
                for client in ours:
                    until(client, events.Said("Brandon", "from the report's"))
                say(ours[0], "from ours")
                until(ours[1], events.Said("Alice", "from ours"))
                assert john.until("<Alice> from ours")[-2] == "<Brandon> from the report's"
        for client in ours:
            until(client, events.Users(("Alice", "Bob")))
            client.leave()

    def test_a_quick_sender_gets_what_a_byte_stream_gives(self, serve):
        """The name and what follows it arrive as one read, and become the name: the report's lesson, kept."""
        server = serve()
        with ReportClient("Quick", server.port, open_window=False) as quick:
            quick.send("!ShowUserHasConnected")
            server.said.wait_for("*** Quick")  # the name, or what was glued to it
            for i in range(200):
                quick.send(f"message {i};")
            witness = joined("Witness", server)
            quick.send("last")
            seen = until(witness, lambda event: "last" in str(event))
            assert len(seen) <= 200
        say(witness, "still here")
        witness.leave()


def test_a_wait_ends_when_the_connection_does(serve):
    """Nobody hangs in a wait for the answer when the answer can no longer come."""
    server = serve()
    client = joined("Brandon", server)
    ended = threading.Event()

    def talk():
        try:
            while True:
                say(client, "on and on")
        except ConnectionLost:
            ended.set()

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    server.stop()
    assert ended.wait(BOUND_S)
    client.leave()


def test_a_message_with_commands_text_does_not_hang(serve):
    server = serve()
    client = joined("Brandon", server)
    say(client, "!GetAllActiveUsers")
    until(client, events.Users)
    say(client, "!Exit")
    until(client, Lost)
    client.leave()


def test_of_equal_lists_in_one_batch_one_arrives(serve):
    """Two clients ask for a list that has not changed meanwhile: the broadcaster sends it once, not never."""
    busy, go_on = threading.Event(), threading.Event()

    class Slow(Feature):
        def heard(self, said):
            busy.set()
            go_on.wait(BOUND_S)

    server = serve(features=[Slow()])
    client = joined("Brandon", server)
    until(client, events.Users(("Brandon",)))
    client.say("hello")
    assert busy.wait(BOUND_S)
    for _ in range(2):  # both are queued while the broadcaster is busy, so the next batch has both
        server.room.post_users()
    go_on.set()
    assert until(client, events.Users(("Brandon",)))
    client.leave()


def test_once_its_last_member_has_left_nothing_is_encoded_for_a_wire():
    encoded = []

    class Watched(ReportWire):
        @staticmethod
        def encode(event):
            encoded.append(event)
            return ReportWire.encode(event)

    broadcaster = Broadcaster([])
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        members = []
        for wire in (Watched(), JsonWire()):
            stack.enter_context(peer := raw(listener.getsockname()[1]))
            connection = stack.enter_context(contextlib.closing(Connection(listener.accept()[0])))
            members.append(Member(peer.getsockname(), connection, wire))
        broadcaster.start()
        for member in members:
            broadcaster.arrive(member, events.Welcome("somebody"))
        broadcaster.post(events.Notice("to both"))
        broadcaster.depart(members[0])
        broadcaster.post(events.Notice("to the other"))
        broadcaster.close()
    assert events.Notice("to both") in encoded and events.Notice("to the other") not in encoded
