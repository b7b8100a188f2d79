"""Clients that misbehave, and a room that does not notice.

``python -m tests.chat.test_hostile 100000`` fuzzes for longer than pytest does.
"""

import os
import random
import socket
import struct
import sys
import threading

import pytest

from lab.chat import broadcaster, events
from lab.chat.client import ChatClient
from lab.chat.events import Lost
from lab.chat.features.accounts import Accounts
from lab.chat.login import Login
from lab.chat.tls import client_context, server_context
from tests.chat import json_samples, report_samples
from tests.chat.programs import BY_PATH, server_program
from tests.chat.rig import BOUND_S, JSON, joined, json_client, raw, read_to_end, say, until


def still_works(server, **options) -> None:
    """Two others, one on each wire, can talk as if nothing had happened."""
    alice, brandon = json_client("Alice", server, **options), joined("Brandon", server, **options)
    say(alice, "are you there?")
    until(brandon, lambda event: "are you there?" in str(event))
    say(brandon, "I am")
    until(alice, events.Said("Brandon", "I am"))
    alice.leave()
    brandon.leave()
    server.said.wait_for("*** <Alice>")
    server.said.wait_for("*** <Brandon>")


def reset(sock: socket.socket) -> None:
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_login_drop_by_drop_buys_no_time(serve):
    server = serve(login_s=0.5)
    with raw(server.port) as peer:
        closed = threading.Event()

        def drip():
            try:
                for byte in b'{"event":"join","name":"' + b"x" * 1_000:
                    peer.sendall(bytes([byte]))
                    if closed.wait(0.05):  # the drip's own pace
                        return
            except OSError:
                pass

        threading.Thread(target=drip, daemon=True).start()
        read_to_end(peer)
        closed.set()
    server.said.wait_for("timed out")
    assert server.room.names == ()


def test_an_endless_line(serve):
    server = serve()
    victim = json_client("Endless", server)
    for _ in range(20):
        try:
            victim.connection.send(b'{"event":"say","text":"' + b"x" * 100_000)
        except OSError:
            break
    assert until(victim, Lost)
    server.said.wait_for("longer than 16384")
    still_works(server)


def test_half_open_and_reset(serve):
    server = serve()
    cut_short = [
        b"",
        b"Res",
        b'{"event":"jo',
        b"\x16\x03\x01",
        b'{"event":"join","name":"R"}\n{"event":"say","te',
        b"R",
    ]
    for data in cut_short:
        for end in (reset, socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)):
            peer = raw(server.port)
            if data:
                peer.sendall(data)
            end(peer)
            if peer.fileno() >= 0:
                read_to_end(peer)
                peer.close()
    still_works(server)
    assert server.room.names == ()


def test_a_storm_of_connections(serve):
    server = serve()
    peers = [raw(server.port) for _ in range(300)]
    still_works(server)
    for peer in peers:
        reset(peer)
    still_works(server)


@pytest.mark.skipif(os.name != "posix", reason="POSIX limits")
def test_without_descriptors_the_console_says_so_once(tmp_path):
    """Visitors take every descriptor of the server; it says so once, and serves on when some are free again."""
    Accounts(tmp_path / "accounts").add("Alice", "sesame")
    few = ["sh", "-c", 'ulimit -n 40 && exec "$@"', "sh"]

    def start(name):
        command, folder = BY_PATH["by path"](name)
        return few + command, folder

    options = ["--login-time", "60", "--accounts", str(tmp_path / "accounts")]
    with server_program(*options, start=start) as (server, port):
        visitors = [raw(port) for _ in range(60)]
        printed = next(line for line in server.stdout if "could not be accepted" in line)
        for visitor in visitors[
            :10
        ]:  # these want to look at the accounts, for which the server needs another one
            visitor.sendall(JSON.encode(events.Join("Bob", None)))
        for visitor in visitors[:10]:
            read_to_end(visitor)  # each is sent away
        for visitor in visitors:
            visitor.close()
        alice = ChatClient(Login("Alice", "127.0.0.1", port, wire="json", password="sesame")).connect()
        alice.leave()
        server.terminate()
        printed += server.stdout.read()
        assert server.stderr.read() == "" and "*** Alice Connected" in printed
    assert printed.count("could not be accepted: Too many open files") == 1


def test_escape_sequences_never_arrive_raw(serve):
    """Neither from the report wire, which does not check texts, nor in names, nor at the server's console."""
    server = serve()
    alice = json_client("Alice", server)
    with raw(server.port) as peer:
        peer.sendall(b"Mallory")
        server.said.wait_for("Mallory")
        peer.sendall(b"\x1b[2J\x1b]0;owned\x07 \xc2\x9b31m hi")
        event = until(alice, events.Said)[-1]
        from lab.chat.chat_log import describe

        assert describe(event)[1] == "<Mallory> \\x1b[2J\\x1b]0;owned\\x07 \\x9b31m hi"
    with raw(server.port) as peer:
        peer.sendall(b"\x1b]0;owned\x07")
        read_to_end(peer)
    assert "\x1b" not in "".join(server.said.lines)
    alice.leave()


def test_a_flood_from_one_is_bounded_and_drops_nobody_who_reads(serve):
    server = serve()
    flooder = raw(server.port)
    flooder.sendall(b'{"event":"join","name":"Flood"}\n')
    threading.Thread(target=read_to_end, args=[flooder], daemon=True).start()
    alice = json_client("Alice", server)
    line = JSON.encode(events.Say("x" * 900))
    for _ in range(50):
        flooder.sendall(line * 100)
        assert server.room.broadcaster.queue.qsize() <= broadcaster.MAX_QUEUED + 10
    flooder.sendall(JSON.encode(events.Say("the end")))
    seen = until(alice, lambda event: isinstance(event, events.Said) and event.text == "the end", BOUND_S * 2)
    assert sum(isinstance(event, events.Said) for event in seen) == 5_001
    flooder.shutdown(socket.SHUT_RDWR)
    alice.leave()


def test_one_silent_reader_on_the_json_wire(serve):
    server = serve()
    silent = raw(server.port)
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.sendall(b'{"event":"join","name":"silent"}\n')
    server.said.wait_for("*** silent Connected")
    alice, bob = json_client("Alice", server), json_client("Bob", server)
    for i in range(20_000):
        say(alice, f"{i} " + "x" * 900)
        if any("*** <silent>" in line for line in server.said.lines):
            break
    assert "does not read" in server.said.wait_for("*** <silent>")
    seen = [
        event
        for event in until(
            bob, lambda event: isinstance(event, events.Said) and event.text.startswith(f"{i} ")
        )
    ]
    assert [int(event.text.split()[0]) for event in seen if isinstance(event, events.Said)] == list(
        range(i + 1)
    )
    silent.close()
    alice.leave()
    bob.leave()


def fuzz_server(server, count: int, seed: int, tls=None) -> None:
    """Throw damaged messages of both wires at a live server, with a witness in the room who must not be harmed."""
    dice = random.Random(seed)
    options = {"tls": tls} if tls else {}
    witness = json_client("Witness", server, **options)
    listener = threading.Thread(target=lambda: until(witness, Lost, 3_600), daemon=True)
    listener.start()
    inputs = iter(
        [
            *json_samples.fuzz_inputs(count // 2, seed),
            *report_samples.fuzz_inputs(count - count // 2, seed),
        ]
    )
    for data in inputs:
        peer = raw(server.port)
        try:
            beginning = [b"", b'{"event":"join","name":"Fuzz"}\n', b"Fuzz", b"\x16"][dice.randrange(4)]
            peer.sendall(beginning)
            for _ in range(dice.randrange(1, 20)):
                peer.sendall(data)
                data = next(inputs, b"{}\n")
        except OSError:
            pass  # it has hung up: rightly
        (reset if dice.random() < 0.3 else socket.socket.close)(peer)
        assert witness.connection is not None and listener.is_alive()
    say(witness, "I have seen it all")
    witness.leave()


def test_fuzz_on_a_live_server(serve):
    server = serve(login_s=1)
    fuzz_server(server, 3_000, seed=1)
    still_works(server)


def test_fuzz_beside_tls(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key), login_s=1)
    fuzz_server(server, 500, seed=2, tls=client_context(ours.ca))
    still_works(server, tls=client_context(ours.ca))


def test_an_answer_that_is_nonsense_ends_a_client_in_order():
    """The other way round: hostile servers."""
    answers = [
        b"\xff" * 100 + b"\n",
        b'{"event":"welcome"}\n',
        b"[]\n",
        b"{" * 20_000,
        b'{"event":"said"}\n',
        b"",
    ]
    good = b'{"event":"welcome","name":"A","offers":[]}\n'
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for answer in [*answers, *(good + answer for answer in answers)]:

            def serve_one(answer=answer):
                peer, _ = listener.accept()
                with peer:
                    peer.recv(1000)
                    peer.sendall(answer)

            threading.Thread(target=serve_one, daemon=True).start()
            client = ChatClient(Login("A", "127.0.0.1", listener.getsockname()[1], wire="json"))
            try:
                client.connect()
                assert answer.startswith(good)
                assert "\n" not in until(client, Lost)[-1].reason
            except OSError as error:  # with a good beginning too, where both came as one read
                assert "\n" not in str(error)
            client.leave()


def main(argv: list[str]) -> int:
    """100,000 inputs on each wire, to the parsers and to a live server."""
    from lab.chat.server import ChatServer
    from tests.chat.rig import Console

    count, seed = int(argv[0]) if argv else 100_000, int(argv[1]) if len(argv) > 1 else 9898
    for name, module in (("report", report_samples), ("json", json_samples)):
        for data in module.fuzz_inputs(count, seed):
            module.read_anything(data)
        print(f"{name}: {count:,} inputs read, seed {seed}")
    console = Console()
    with ChatServer("127.0.0.1", 0, console=console, login_s=1) as server:
        server.said = console
        fuzz_server(server, 2 * count, seed)
        still_works(server)
    print(f"live server: {2 * count:,} inputs, seed {seed}; it stays up and its witness was not harmed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
