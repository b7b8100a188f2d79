"""The faults show in the stage that has them, and not in the one that mends them."""

import contextlib
import importlib
import os
import pickle
import select
import socket
import subprocess
import sys
import threading

import pytest

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import ReportWire, read_replies
from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import host
from lab.stages import broadcaster, framed, report, report_client
from lab.stages.report_client import read_message
from tests.chat.report_peer import ReportClient
from tests.chat.rig import JSON, json_client, raw, read_to_end, until
from tests.stages.rig import BOUND_S, STAGES, Running, serving, wait_until
from tests.support import ROOT, needs_namespaces

QUICK = ("hello", "how are you?", "bye")


@contextlib.contextmanager
def members(port: int, *names: str):
    """Bare connections on the json wire, in the room; of the last one's arrival each has been sent."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for name in names:
            sockets.append(stack.enter_context(raw(port)))
            sockets[-1].sendall(JSON.encode(events.Join(name)))
            for sock in sockets:
                read_until(sock, JSON.encode(events.Joined(name)))
        yield sockets


def read_until(sock: socket.socket, wanted: bytes) -> bytes:
    data = bytearray()
    while wanted not in data[-len(wanted) - 65536 :]:
        data += (piece := sock.recv(65536))
        assert piece, f"{wanted!r} never came before the connection ended"
    return bytes(data)


def in_background(function, *arguments) -> None:
    """Call a function in a thread that may last until the test has closed its socket."""

    def call() -> None:
        with contextlib.suppress(OSError):
            function(*arguments)

    threading.Thread(target=call, daemon=True).start()


# 1: a read is not a message, until there is framing


@pytest.mark.parametrize("stage", ["report", "backlog"])
def test_messages_that_one_read_joins_become_one(stage):
    with Running(stage) as server, ReportClient("Brandon", server.port) as brandon:
        brandon.until(["Brandon"])
        brandon.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # three segments, as it happens
        with server.stopped():
            for text in QUICK:
                brandon.send(text)
        brandon.until("<Brandon> hellohow are you?bye")


def test_and_with_framing_they_stay_three():
    with Running("framed") as server:
        brandon = json_client("Brandon", server)
        with server.stopped():
            for text in QUICK:
                brandon.say(text)
        seen = until(brandon, lambda event: isinstance(event, events.Said) and event.text == "bye")
        assert [event.text for event in seen] == list(QUICK)
        brandon.leave()


def test_a_long_message_is_cut_in_a_character_and_with_framing_it_is_not():
    text = "a" + "é" * 600  # byte 1024 is the middle of a character
    with Running("report") as server, ReportClient("Brandon", server.port) as brandon:
        brandon.send(text)
        heard = brandon.until(lambda message: str(message).endswith("é") and "\ufffd" in str(message))[-2:]
        assert heard[0] == f"<Brandon> {text[:512]}\ufffd" and heard[1] == f"<Brandon> \ufffd{text[513:]}"
    with Running("framed") as server:
        brandon = json_client("Brandon", server)
        brandon.say(text)
        assert until(brandon, events.Said)[-1].text == text
        brandon.leave()


def test_a_list_is_cut_in_two_and_then_it_is_neither_text_nor_a_list():
    with serving(report) as server, raw(server.port) as client:
        client.sendall(b"n" * 1000)
        wait_until(lambda: server.users)
        server.users.append("m" * 500)
        client.sendall(b"!GetAllActiveUsers")
        with pytest.raises(pickle.UnpicklingError, match="truncated"):
            read_message(client.recv(1024))
        client.sendall(b"!Exit")


def test_and_on_the_json_wire_it_may_be_cut_anywhere():
    names = [f"{'x' * 25}{number:>7}".replace(" ", "0") for number in range(40)]
    with Running("framed") as server, members(server.port, *names) as sockets:
        sockets[0].sendall(JSON.encode(events.ListUsers()))
        wire, found = JsonWire(), []
        while not any(isinstance(event, events.Users) for event in found):
            found += wire.feed(sockets[0].recv(100))
        assert found[-1] == events.Users(tuple(names))


def test_the_reports_client_runs_what_a_list_says_and_ours_does_not(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    data = pickle.dumps(Attack())
    assert isinstance(read_replies(data)[0], events.Text) and not list(tmp_path.iterdir())
    read_message(data)
    assert [path.name for path in tmp_path.iterdir()] == ["attacked"]


def test_it_connects_to_this_computer_only(monkeypatch, capsys):
    for name in ("container", "LAB_LAN", "LAB_HOST"):
        monkeypatch.setenv(name, "pickled-list")  # the environment does not count
    with pytest.raises(SystemExit) as exit:
        report_client.main(["Brandon", "--host", "192.0.2.1"])
    error = capsys.readouterr().err
    assert exit.value.code == 2 and "whatever code 192.0.2.1 sends" in error and error.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report_client.ReportClient("Brandon", listener.getsockname()[1], "127.0.0.1").socket.close()


@needs_namespaces
@pytest.mark.maintainers
def test_and_to_another_one_only_where_little_can_be_written_and_no_other_process_be_seen(tmp_path):
    client = [sys.executable, str(ROOT / "lab/stages/report_client.py"), "Brandon", "--host", "10.0.0.1"]
    confined = [sys.executable, "-m", "lab.net.read_only", str(tmp_path)]
    first_process = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]
    with Lan([host("server", "10.0.0.1/24"), host("PC1", "10.0.0.2/24")]) as lan:
        with lan["server"].listen(9898) as listener:
            for command in (client, [*confined, *first_process, *client]):
                done = lan["PC1"].run(command, check=False)
                assert done.returncode == 2 and "whatever code 10.0.0.1 sends" in done.stderr
            done = subprocess.run(namespace.launcher(client), capture_output=True, text=True)
            assert done.returncode == 2 and "whatever code 10.0.0.1 sends" in done.stderr, (
                "in a foreign namespace"
            )
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
        done = lan["PC1"].run([*confined, *client], check=False)
        assert done.returncode == 2 and "no server at 10.0.0.1" in done.stderr, "there it does try"


# 2: the list of clients changes while it is walked, until one thread alone knows it


def full_socket() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection that takes nothing more, since nobody reads the second."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    for size in (65536, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(size))
    return ours, theirs


@contextlib.contextmanager
def two_and_a_full_socket(stage):
    """A server, its members Zoe and Carol, and between them one that a send waits for; yields also its other end."""
    ours, theirs = full_socket()
    with serving(stage) as server, ours, theirs, raw(server.port) as zoe, raw(server.port) as carol:
        for number, sock in enumerate((zoe, carol), 1):
            sock.sendall((JSON if stage is not report else ReportWire).encode(events.Join(f"user {number}")))
            if stage is report:  # nothing comes back for a name
                wait_until(lambda number=number: len(server.users) == number)
            else:
                read_until(sock, JSON.encode(events.Joined(f"user {number}")))
        if stage is broadcaster:
            server.queue.put((ours, b"Welcome"))
        else:
            with server.lock:
                ours.setblocking(True)
                server.clients.insert(1, ours)
        yield server, zoe, carol, theirs


@pytest.mark.parametrize(
    ("stage", "wire", "left"),
    [(report, ReportWire, events.Users(("user 2",))), (framed, JSON, events.Left("user 1"))],
    ids=["report", "framed"],
)
def test_when_one_leaves_during_a_walk_another_misses_the_message(stage, wire, left):
    with two_and_a_full_socket(stage) as (server, zoe, carol, theirs):
        carol.sendall(wire.encode(events.Say("hello")))
        read_until(zoe, said := wire.encode(events.Said("user 2", "hello")))  # the walk is past her
        zoe.sendall(wire.encode(events.Leave()))
        wait_until(lambda: len(server.clients) == 2)
        heard = [read_until(sock, wire.encode(left)) for sock in (theirs, carol)]
        # Carol misses it if the walk waited for the full socket by then, else the full socket does.
        assert [said in data for data in heard].count(False) == 1


def test_and_with_a_broadcaster_it_does_not():
    with two_and_a_full_socket(broadcaster) as (_, zoe, carol, _):
        carol.sendall(JSON.encode(events.Say("hello")))
        read_until(zoe, JSON.encode(events.Said("user 2", "hello")))
        zoe.sendall(JSON.encode(events.Leave()))
        assert JSON.encode(events.Said("user 2", "hello")) in read_until(
            carol, JSON.encode(events.Left("user 1"))
        )


# 3: one client that does not read stops all, until nobody waits for it


LINES = [f"{number:>3} ".ljust(900, ".") for number in range(400)]  # 360 kB, more than the buffers below hold


def silent_socket() -> socket.socket:
    sock = socket.socket()
    sock.settimeout(BOUND_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    return sock


def test_one_silent_reader_freezes_the_reports_room():
    """One client does not read. The others do, and yet nothing reaches them until it reads, too."""

    def holds(text):
        return lambda message: text in str(message)

    with serving(report, send_buffer=16_384) as server, silent_socket() as silent:
        silent.connect(("127.0.0.1", server.port))
        silent.sendall(b"silent")
        with ReportClient("Alice", server.port) as alice, ReportClient("John", server.port) as john:
            everyone = {"silent", "Alice", "John"}  # in whatever order the server read their names
            john.until(lambda message: set(message or "") == everyone)
            in_background(lambda: [alice.send(text) for text in [*LINES, "the end"]])
            john.until(holds(LINES[0]))
            with pytest.raises(AssertionError, match="never came"):
                john.until(holds("the end"), bound_s=1)
            assert server.lock.locked()
            john.send("anybody?")
            with pytest.raises(AssertionError, match="never came"):
                alice.until(holds("anybody?"), bound_s=0.5)
            in_background(read_to_end, silent)
            john.until(holds("the end"), BOUND_S)
            alice.until(holds("anybody?"), BOUND_S)


@contextlib.contextmanager
def a_silent_reader(stage):
    """A server, Alice who has begun to say all the lines, John, and one who is in the room and does not read."""
    with serving(stage, send_buffer=16_384) as server, silent_socket() as silent:
        silent.connect(("127.0.0.1", server.port))
        silent.sendall(JSON.encode(events.Join("silent")))
        wait_until(lambda: server.users)
        with members(server.port, "Alice", "John") as (alice, john):
            in_background(read_to_end, alice)
            in_background(alice.sendall, b"".join(map(said_by_alice, LINES)))
            yield server, alice, john, silent


def said_by_alice(text: str) -> bytes:
    return JSON.encode(events.Say(text))


def heard_from_alice(text: str) -> bytes:
    return JSON.encode(events.Said("Alice", text))


def test_framing_does_not_thaw_it():
    with a_silent_reader(framed) as (server, _, john, silent):
        john.settimeout(1)
        with pytest.raises(TimeoutError):
            read_until(john, heard_from_alice(LINES[-1]))
        assert server.lock.locked()
        john.settimeout(BOUND_S)
        in_background(read_to_end, silent)
        read_until(john, heard_from_alice(LINES[-1]))


def test_with_a_broadcaster_nobody_else_notices_and_nothing_is_lost():
    with a_silent_reader(broadcaster) as (_, _, john, silent):
        assert read_until(john, heard_from_alice(LINES[-1])).count(b'"said"') == len(LINES)
        assert read_until(silent, heard_from_alice(LINES[-1])).count(b'"said"') == len(LINES)


def test_a_broadcaster_drops_who_does_not_read_at_all():
    with a_silent_reader(broadcaster) as (server, alice, john, _):
        heard, left = b"", JSON.encode(events.Left("silent"))
        for number in range(1_500):  # 1.4 MB; John is never far behind
            alice.sendall(said_by_alice(text := f"{number:>3} more ".ljust(900, ".")))
            if number % 20 == 0:
                heard += read_until(john, heard_from_alice(text))
        if left not in heard:
            read_until(john, left)
        assert server.users == ["Alice", "John"]


# 4: who vanishes stays in the user list, until leaving is an event


def test_who_vanishes_stays_in_the_reports_list():
    with Running("report") as server:
        with raw(server.port) as gone:
            gone.sendall(b"Gone")
            server.until("*** Gone Connected")
        server.until("*** <Gone>")
        with ReportClient("Brandon", server.port) as brandon:
            brandon.until(["Gone", "Brandon"])


def test_and_with_events_it_does_not():
    with Running("framed") as server:
        brandon = json_client("Brandon", server)
        with members(server.port, "Gone"):
            until(brandon, events.Joined("Gone"))
        until(brandon, events.Left("Gone"))
        brandon.ask_users()
        brandon.answered.wait(BOUND_S)
        until(brandon, events.Users(("Brandon",)))
        brandon.leave()


# The two options of a socket


@pytest.mark.parametrize("stage", STAGES)
def test_nagles_algorithm_is_on_in_the_first_stage_alone(stage):
    with serving(importlib.import_module(f"lab.stages.{stage}")) as server, raw(server.port) as client:
        client.sendall(JSON.encode(events.Join("John")))
        wait_until(lambda: server.users and (server.unsent if stage == "broadcaster" else server.clients))
        [at_server] = server.unsent if stage == "broadcaster" else server.clients
        assert bool(at_server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) == (stage != "report")


@pytest.mark.parametrize("stage", ["nodelay", "backlog"])
def test_how_many_of_a_crowd_get_in_while_the_server_is_busy(stage):
    with Running(stage) as server, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.socket()) for _ in range(20)]
        with server.stopped():
            for sock in crowd:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", server.port))
            _, connected, _ = select.select([], crowd, [])
            assert len(connected) == (20 if stage == "backlog" else 6)  # one more than the backlog, on Linux
        late = set(crowd) - set(connected)
        while late:  # a second later its SYN comes again, and so on
            _, connected, _ = select.select([], late, [], BOUND_S)
            assert connected, "never let in"
            late -= set(connected)
