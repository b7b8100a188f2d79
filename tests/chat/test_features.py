"""Private messages, commands, accounts, retention: each works when asked for, and is off when not."""

import io
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.chat import events, terminal
from lab.chat.client import ChatClient
from lab.chat.events import Lost
from lab.chat.features.accounts import FIRST_WAIT_S, FREE_GUESSES, Accounts, RoomPassword
from lab.chat.features.history import History
from lab.chat.features.private import Private
from lab.chat.features.typed_commands import TypedCommands, enter
from lab.chat.features.typing_notices import TypingNotices
from lab.chat.login import ChatError, Login
from lab.chat.tls import client_context, server_context
from tests.chat.programs import client_program, server_program
from tests.chat.report_peer import ReportClient
from tests.chat.rig import BOUND_S, JSON, enter_and_wait, joined, json_client, say, until
from tests.support import ROOT


class TestTypingNotices:
    def test_the_others_learn_of_each_key_and_the_report_wire_of_none(self, serve):
        server = serve(features=[TypingNotices()])
        alice, bob = (json_client(name, server) for name in ("Alice", "Bob"))
        assert "typing" in alice.offers
        with ReportClient("Brandon", server.port) as brandon:
            until(alice, events.Joined("Brandon"))
            for notice in (events.Typing(), events.Typing("Mallory", idle=True)):  # the name is the server's
                alice.request(notice)
            say(alice, "done")
            assert until(bob, events.Said)[-3:-1] == [events.Typing("Alice"), events.Typing("Alice", True)]
            assert not [event for event in until(alice, events.Said) if isinstance(event, events.Typing)]
            assert "yping" not in str(brandon.until("<Alice> done"))
        for client in (alice, bob):
            client.leave()

    def test_off_unless_asked_for(self, serve):
        alice = json_client("Alice", serve())
        alice.request(events.Typing())
        assert until(alice, events.Refused)[-1].reason == "not_offered"
        alice.leave()

    def test_a_terminal_prints_nothing_for_a_key(self, serve):
        server = serve(features=[TypingNotices()])
        alice, output = json_client("Alice", server), io.StringIO()
        bob = ChatClient(Login("Bob", "127.0.0.1", server.port, wire="json"))

        def lines():
            alice.request(events.Typing())
            say(alice, "typed")
            yield "seen"

        assert terminal.run(bob, lines(), output) == 0
        alice.leave()
        assert "<Alice> typed" in output.getvalue() and "" not in output.getvalue().splitlines()


class TestPrivate:
    def test_goes_to_the_two_alone(self, serve):
        server = serve(features=[Private(), TypedCommands()])
        alice, bob, eve = (json_client(name, server) for name in ("Alice", "Bob B", "Eve"))
        with ReportClient("Brandon", server.port) as brandon:
            until(eve, events.Joined("Brandon"))
            brandon.until(["Alice", "Bob B", "Eve", "Brandon"])
            assert enter_and_wait(alice, '/msg "bob b" psst') == []
            assert until(bob, events.SaidTo)[-1] == events.SaidTo("Alice", "Bob B", "psst", "1")
            assert until(alice, events.SaidTo)[-1].text == "psst"
            enter_and_wait(alice, "/msg Brandon psst too")
            brandon.until("<Alice to Brandon alone> psst too")
            brandon.send("/msg Eve from the report's")
            until(eve, lambda event: event == events.SaidTo("Brandon", "Eve", "from the report's"))
            brandon.until("<Brandon to Eve alone> from the report's")
            say(alice, "to all")
            seen = until(eve, lambda event: isinstance(event, events.Said))
            assert "psst" not in str(seen)
            brandon.until("<Alice> to all")
        for client in (alice, bob, eve):
            client.leave()

    def test_to_nobody(self, serve):
        alice = json_client("Alice", serve(features=[Private()]))
        enter_and_wait(alice, "/msg Nobody hello")
        assert until(alice, events.Refused)[-1].reason == "no_such_user"
        alice.leave()

    def test_is_off_until_asked_for_and_then_not_said_to_all(self, serve):
        server = serve()
        alice, eve = json_client("Alice", server), json_client("Eve", server)
        assert "not offer" in enter(alice, "/msg Bob secret")[0]
        say(alice, "end")
        assert "secret" not in str(until(eve, events.Said))
        for client in (alice, eve):
            client.leave()


class TestCommands:
    def test_on_lines(self, serve):
        server = serve(features=[TypedCommands()])
        alice, bob = json_client("Alice", server), json_client("Bob", server)
        assert len(enter(alice, "/help")) > 4
        assert "not a command" in enter(alice, "/dance")[0]
        enter_and_wait(alice, "/who")
        assert until(alice, events.Users)[-1].names == ("Alice", "Bob")
        enter_and_wait(alice, "/nick BOB")
        assert until(alice, events.Refused)[-1].reason == "name_taken"
        enter_and_wait(alice, "/nick ALICE")
        assert alice.name == "ALICE"
        until(bob, events.Renamed("Alice", "ALICE"))
        enter_and_wait(alice, "//not a command")
        assert until(bob, events.Said)[-1] == events.Said("ALICE", "/not a command", "1")
        enter(alice, "/quit")
        until(bob, events.Left("ALICE"))
        bob.leave()

    def test_typed_by_a_client_of_the_report(self, serve):
        server = serve(features=[TypedCommands()])
        witness = json_client("Witness", server)
        with ReportClient("Brandon", server.port) as brandon:
            brandon.until(["Witness", "Brandon"])
            brandon.send("/who")
            brandon.until("*** Users: Witness, Brandon ***")
            brandon.send("/help")
            brandon.until(lambda read: "/quit" in str(read))
            brandon.send("/nick Bran")
            brandon.until(["Witness", "Bran"])
            until(witness, events.Renamed("Brandon", "Bran"))
            brandon.send("/msg Witness hi")
            brandon.until(lambda read: "does not offer" in str(read))
            brandon.send("/nick <evil>")
            brandon.until(lambda read: "must not look like" in str(read))
            brandon.send("//slash")
            until(witness, events.Said("Bran", "/slash"))
            brandon.send("/quit")
            brandon.until(None)
        until(witness, events.Left("Bran"))
        witness.leave()

    def test_is_off_until_asked_for(self, serve):
        server = serve()
        alice = json_client("Alice", server)
        enter_and_wait(alice, "/nick Bob")
        assert until(alice, events.Refused)[-1].reason == "not_offered"
        with ReportClient("Brandon", server.port) as brandon:
            brandon.until(["Alice", "Brandon"])
            brandon.send("/who")
            brandon.until("<Brandon> /who")
        alice.leave()


class TestAccounts:
    def test_the_right_password_alone(self, serve, tmp_path):
        accounts = Accounts(tmp_path / "accounts.sqlite")
        assert accounts.add("  Zoë ", "päss word") == "Zoë"
        server = serve(features=[accounts, TypedCommands()])
        for name, password in (("Zoë", "wrong"), ("Zoë", None), ("Nobody", "päss word"), ("Zoë", "")):
            with pytest.raises(ChatError, match="the name or the password is wrong"):
                ChatClient(Login(name, "127.0.0.1", server.port, wire="json", password=password)).connect()
        zoe = json_client("ZOË", server, password="päss word")
        enter_and_wait(zoe, "/nick Root")
        assert until(zoe, events.Refused)[-1].reason == "not_offered"
        with ReportClient("Brandon", server.port, open_window=False) as brandon:
            brandon.until(lambda read: "password is wrong" in str(read))
        assert server.room.names == ("ZOË",)
        zoe.leave()

    def test_passwords_are_not_in_the_file(self, tmp_path):
        accounts = Accounts(tmp_path / "accounts.sqlite")
        accounts.add("A", "correct horse")
        accounts.add("B", "correct horse")
        assert b"correct horse" not in (tmp_path / "accounts.sqlite").read_bytes()
        rows = sqlite3.connect(tmp_path / "accounts.sqlite").execute("SELECT hash FROM accounts").fetchall()
        assert len(set(rows)) == 2  # a salt each

    def test_a_new_password_ends_the_old_one(self, tmp_path):
        accounts = Accounts(tmp_path / "accounts.sqlite")
        accounts.add("A", "old")
        accounts.add("a", "new")
        assert accounts.is_right("A", "new")
        assert not accounts.is_right("A", "old")

    def test_a_file_that_is_none(self, serve, tmp_path):
        (tmp_path / "text").write_text("this is no database, and it is long enough to look at" * 20)
        with pytest.raises(OSError, match="accounts"):
            serve(features=[Accounts(tmp_path / "text")])

    def test_one_password_for_the_room(self, serve):
        server = serve(features=[RoomPassword("sesame"), TypedCommands()])
        with pytest.raises(ChatError, match="password is wrong"):
            ChatClient(Login("A", "127.0.0.1", server.port, wire="json", password="sesam")).connect()
        client = json_client("A", server, password="sesame")
        enter_and_wait(client, "/nick B")
        assert client.name == "B"
        client.leave()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a second loopback address")
    @pytest.mark.parametrize("kind", ["room password", "accounts"])
    def test_wrong_passwords_from_one_address_slow_down(self, serve, tmp_path, kind):
        if kind == "accounts":
            feature = Accounts(tmp_path / "accounts.sqlite")
            feature.add("A", "sesame")
        else:
            feature = RoomPassword("sesame")
        server = serve(features=[feature])
        begun, go_on, waits = threading.Event(), threading.Event(), []

        class Closing(threading.Event):
            """A clock for a guesser's client: it notes the wait, and begins it when the test lets it go on."""

            def wait(self, timeout=None):
                waits.append(timeout)
                begun.set()
                assert go_on.wait(BOUND_S)
                return super().wait(timeout)

        server.room.closing = Closing()

        def answer(password, host="127.0.0.1"):
            with socket.create_connection(("127.0.0.1", server.port), BOUND_S, (host, 0)) as peer:
                peer.sendall(JSON.encode(events.Join("A", password)))
                return json.loads(peer.makefile("rb").readline())["event"]

        assert {answer("wrong") for _ in range(FREE_GUESSES - 1)} == {"error"}
        start = time.monotonic()  # before the last guess that is answered at once: the wait counts from there
        assert answer("wrong") == "error" and waits == []
        with ThreadPoolExecutor() as pool:
            slowed = pool.submit(answer, "wrong")
            assert begun.wait(BOUND_S)
            assert answer("sesame", "127.0.0.2") == "welcome"  # another address has done nothing wrong
            assert not slowed.done() and len(waits) == 1
            go_on.set()
            assert slowed.result(BOUND_S) == "error"
        assert time.monotonic() - start >= FIRST_WAIT_S >= waits[0]
        server.said.wait_for("*** <A>")
        assert answer("sesame") == "welcome" and len(waits) == 2  # nobody is locked out
        assert time.monotonic() - start >= 3 * FIRST_WAIT_S  # the second wait is twice as long

    def test_many_guesses_at_once_are_not_many_answers(self, serve):
        """A guesser with many connections has no more guesses; the server stops without waiting for them."""
        server = serve(features=[RoomPassword("sesame")])
        peers = [socket.create_connection(("127.0.0.1", server.port), BOUND_S) for _ in range(40)]
        for number, peer in enumerate(peers):
            peer.sendall(JSON.encode(events.Join("A", f"guess {number}")))
            if number <= FREE_GUESSES:
                peer.recv(1000)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 5
        for peer in peers:
            peer.close()

    def test_over_plaintext_the_client_warns(self, tmp_path, ours):
        (tmp_path / "password").write_text("sesame\n")
        secret = ["--password-file", str(tmp_path / "password")]
        files = ["--cert", str(ours.certificate), "--key", str(ours.key)]
        with server_program(*secret, *files) as (_, port):
            me = ["--name", "B", "--port", str(port), "--wire", "json", *secret]
            plain = client_program(*me, script="hello\n")
            assert "everybody on the path can read it" in plain.stderr and "<B> hello" in plain.stdout
            tls = client_program(*me, "--tls", "--cafile", str(ours.ca), script="hello\n")
            assert tls.stderr == "" and "<B> hello" in tls.stdout

    def test_accounts_are_made_by_the_program(self, tmp_path):
        accounts = str(tmp_path / "accounts.sqlite")
        command = [
            sys.executable,
            str(ROOT / "lab" / "server.py"),
            "--accounts",
            accounts,
            "--add-account",
            "Zoë",
        ]
        done = subprocess.run(command, input="sesame\n", text=True, capture_output=True, timeout=60)
        assert done.returncode == 0 and "Zoë" in done.stdout
        assert Accounts(accounts).is_right("Zoë", "sesame")
        done = subprocess.run([*command[:-1], "<x>"], input="y\n", text=True, capture_output=True, timeout=60)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("before", [False, True], ids=["new", "there, for all to read"])
def test_files_with_secrets_are_for_their_owner_alone(serve, ours, tmp_path, before):
    files = [tmp_path / name for name in ("accounts", "history", "keys")]
    if before:
        for path in files:
            path.touch()
            path.chmod(0o666)
    accounts, history, keys = files
    old_mask = os.umask(0)
    try:
        Accounts(accounts).add("A", "sesame")
        server = serve(
            features=[Accounts(accounts), History(history)], tls=server_context(ours.certificate, ours.key)
        )
        json_client("A", server, password="sesame", tls=client_context(ours.ca, key_log=keys)).leave()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old_mask)
    assert set(modes) >= {"accounts", "history", "history-wal", "keys"} and set(modes.values()) == {0o600}


class TestHistory:
    def test_a_newcomer_hears_the_last_lines_in_order_and_once(self, serve, tmp_path):
        server = serve(features=[History(tmp_path / "h.sqlite", replay=3)])
        alice = json_client("Alice", server)
        for i in range(5):
            say(alice, f"line {i}")
        bob = ChatClient(Login("Bob", "127.0.0.1", server.port, wire="json")).connect()
        seen = until(bob, events.Joined("Bob"))
        assert [event.text for event in seen if isinstance(event, events.Said)] == [
            "line 2",
            "line 3",
            "line 4",
        ]
        assert all(event.time for event in seen if isinstance(event, events.Said))
        for client in (alice, bob):
            client.leave()
        server.stop()
        again = serve(features=[History(tmp_path / "h.sqlite", replay=2)])
        carol = ChatClient(Login("Carol", "127.0.0.1", again.port, wire="json")).connect()
        seen = until(carol, events.Joined("Carol"))
        assert [event.text for event in seen if isinstance(event, events.Said)] == ["line 3", "line 4"]
        carol.leave()

    def test_what_a_report_client_says_is_kept_too(self, serve, tmp_path):
        server = serve(features=[History(tmp_path / "h.sqlite")])
        brandon = joined("Brandon", server)
        say(brandon, "from the report's")
        alice = ChatClient(Login("Alice", "127.0.0.1", server.port, wire="json")).connect()
        assert until(alice, events.Said)[-1].text == "from the report's"
        alice.leave()
        brandon.leave()

    def test_old_lines_are_forgotten(self, serve, tmp_path):
        path = tmp_path / "h.sqlite"
        server = serve(features=[History(path)])
        alice = json_client("Alice", server)
        say(alice, "long ago")
        say(alice, "just now")
        alice.leave()
        server.stop()
        with sqlite3.connect(path) as database:
            database.execute("UPDATE said SET time = time - 3 * 86400 WHERE text = 'long ago'")
        database.close()
        server = serve(features=[History(path, days=2)])
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT text FROM said").fetchall() == [("just now",)]
            database.execute("UPDATE said SET time = time - 3 * 86400")
        alice = json_client("Alice", server)
        say(alice, "also while the server runs")
        alice.leave()
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT text FROM said").fetchall() == [("also while the server runs",)]
        database.close()

    def test_what_cannot_be_stored_is_not_said(self, serve, tmp_path):
        class Full(History):
            def keep(self, said):
                if any("too much" in one.text for one in said):
                    raise OSError("database or disk is full")
                super().keep(said)

        server = serve(features=[Full(tmp_path / "h.sqlite")])
        alice, bob = json_client("Alice", server), json_client("Bob", server)
        say(alice, "too much")
        assert until(alice, events.Refused)[-1] == events.Refused(
            "not_stored", events.REASONS["not_stored"], "1"
        )
        say(alice, "goes")
        assert "too much" not in str(until(bob, events.Said))
        server.said.wait_for("disk is full")
        for client in (alice, bob):
            client.leave()

    def test_a_file_that_is_none(self, serve, tmp_path):
        (tmp_path / "text").write_text("this is no database, and it is long enough to look at" * 20)
        with pytest.raises(OSError, match="history"):
            serve(features=[History(tmp_path / "text")])

    @pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
    def test_killed_in_mid_load_nothing_acknowledged_is_lost_or_doubled(self, tmp_path):
        path = tmp_path / "h.sqlite"
        acknowledged: list[set[str]] = [set() for _ in range(8)]
        enough = threading.Event()

        def talk(number: int, port: int):
            try:
                client = ChatClient(Login(f"user{number}", "127.0.0.1", port, wire="json")).connect()
            except ChatError:  # the server was killed before it let this one in
                return
            lost = False

            def note(event):
                nonlocal lost
                lost = lost or isinstance(event, Lost)
                if isinstance(event, events.Said) and event.name == client.name:
                    acknowledged[number].add(event.text)

            try:
                for i in range(100_000):
                    client.connection.send(JSON.encode(events.Say(f"{number}:{i}", f"{number}:{i}")))
                    if i % 20 == 0:  # a window of messages on their way
                        while not client.events.empty():
                            note(client.events.get())
                        if sum(map(len, acknowledged)) > 2_000:
                            enough.set()
            except OSError:
                pass
            while not lost:  # what has come before the end
                note(client.events.get())

        with server_program("--history", "1", "--history-file", str(path)) as (process, port):
            talkers = [threading.Thread(target=talk, args=[n, port], daemon=True) for n in range(8)]
            for talker in talkers:
                talker.start()
            assert enough.wait(BOUND_S * 2)
            process.send_signal(signal.SIGKILL)
            process.wait()
            for talker in talkers:
                talker.join(BOUND_S)
                assert not talker.is_alive()
        database = sqlite3.connect(path)
        kept = [text for (text,) in database.execute("SELECT text FROM said ORDER BY number")]
        database.close()
        assert len(kept) == len(set(kept))
        assert set().union(*acknowledged) <= set(kept)
        for number in range(8):  # and each sender's are there in order, without a gap
            mine = [int(text.split(":")[1]) for text in kept if text.startswith(f"{number}:")]
            assert mine == list(range(len(mine)))


def test_a_terminal_that_prints_late_still_knows_who_one_was(serve):
    client = ChatClient(
        Login("B", "127.0.0.1", serve(features=[Private(), TypedCommands()]).port, wire="json")
    )

    class Late(io.StringIO):
        """Takes the first event's line only when the client has its new name, which the answer to /help comes after."""

        renamed = threading.Event()

        def write(self, text: str) -> int:
            if "Welcome" in text:
                assert self.renamed.wait(BOUND_S)
            elif "/quit: leave" in text:
                self.renamed.set()
            return super().write(text)

    printed = Late()
    assert terminal.run(client, ["/msg B to myself", "/nick C", "/help", "/msg C again"], printed) == 0
    events = [
        line for line in printed.getvalue().splitlines() if line.startswith("[private") or "is now" in line
    ]
    assert events == ["[private, to B] to myself", "*** B is now C ***", "[private, to C] again"]


def test_everything_at_once_over_the_terminal(tmp_path):
    with server_program(
        "--private", "--commands", "--history", "1", "--history-file", str(tmp_path / "h")
    ) as (
        _,
        port,
    ):
        me = ["--name", "B", "--port", str(port), "--wire", "json"]
        script = "/who\nhello\n/msg B to myself\n/nick C\n/msg nobody x\n/dance\n/help\nbye\n"
        done = client_program(*me, script=script)
        assert done.returncode == 0 and done.stderr == ""
        for wanted in (
            "*** Welcome, B: private, commands, history ***",
            "*** B Connected ***",
            "Users: B",
            "<B> hello",
            "[private, to B] to myself",
            "*** B is now C ***",
            "nobody here has that name",
            "/dance is not a command",
            "/quit: leave",
            "<C> bye",
        ):
            assert wanted in done.stdout, (wanted, done.stdout)
        again = client_program(*me, script="")
        assert "<B> hello" in again.stdout and "to myself" not in again.stdout
