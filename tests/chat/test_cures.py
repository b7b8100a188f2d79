"""The cures: what they let an eavesdropper see of a client, and that nothing is lost or held back by them."""

import random
from dataclasses import replace

import pytest

from lab import client, dissect
from lab.chat.client import ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Joined, Lost, Refused, Said, SaidTo, Say, SayTo, Typing
from lab.chat.features import cures
from lab.chat.features.cures import CURES, IDLING, PAD_BYTES, CuredClient, Sender, client_for
from lab.chat.features.private import Private
from lab.chat.features.typing_notices import TypingNotices
from lab.chat.login import ChatError
from lab.chat.options import LoginOptions
from lab.chat.tls import server_context
from lab.harness.tap import Tap
from tests.chat.programs import client_program, server_program
from tests.chat.rig import BOUND_S, json_client, say, until

TICK_S = 0.05  # of these tests
TEXTS = [f"number {number}" for number in range(12)]


@pytest.fixture(autouse=True)
def at_a_quicker_pace(monkeypatch):
    monkeypatch.setattr(cures, "TICK_S", TICK_S)
    monkeypatch.setattr(cures, "BATCH_S", TICK_S)
    monkeypatch.setattr(cures, "CHAFF_S", 0.01)


@pytest.fixture
def secured(serve, ours):
    """A server that speaks TLS and takes typing notices and private messages."""
    return serve(tls=server_context(ours.certificate, ours.key), features=[Private(), TypingNotices()])


@pytest.fixture
def options(secured, ours):
    """``options(cure, ...)``: what the client's program makes of its switches."""

    def made(cure, port=secured.port, **more):
        given = {"wire": "json", "tls": True, "ca_file": str(ours.ca)} | more
        return LoginOptions("Alice", "127.0.0.1", port, cure=cure, **given)

    return made


class TestSender:
    """What two clients send each other through a real server, in the way of each cure."""

    @pytest.fixture
    def two(self, secured):
        alice, bob = json_client("Alice", secured), json_client("Bob", secured)
        until(alice, Joined("Bob"))
        yield alice, bob
        alice.leave()
        bob.leave()

    @pytest.mark.parametrize("cure", CURES)
    def test_a_sentence_arrives_behind_its_keys(self, two, cure):
        alice, bob = two
        with Sender(alice, cure, random.Random(1)) as sender:
            for _ in range(5):
                sender.send(Typing())
            sender.send(Say("hello"))
        *before, said = until(bob, Said)
        assert said.text == "hello"
        keys = [event for event in before if event == Typing("Alice")]
        assert len(keys) == (1 if cure in ("batching", "clock") else 5)
        assert (sender.waited_ms > 0) == (cure in ("batching", "clock"))

    def test_parts_of_a_text_that_wait_are_joined_up_to_a_block(self, two):
        alice, bob = two
        tokens = [f" token{number:03}" for number in range(40)]
        with Sender(alice, "batching", random.Random(1)) as sender:
            for token in tokens:
                sender.send(SayTo("Bob", token))
        texts = []
        while "".join(texts) != "".join(tokens):
            texts.append(until(bob, SaidTo)[-1].text)
        assert len(texts) == 3
        assert max(map(len, texts)) + len(bob.wire.encode(SaidTo("Alice", "Bob", ""))) <= PAD_BYTES["clock"]

    @pytest.mark.parametrize("cure", IDLING)
    def test_idle_lines_come_while_nothing_is_said(self, two, cure):
        alice, bob = two
        with Sender(alice, cure, random.Random(1)):
            for _ in range(3):
                assert until(bob, Typing)[-1] == Typing("Alice", idle=True)

    def test_a_lost_connection_is_no_secret(self, two):
        alice, _ = two
        with pytest.raises(ConnectionLost):
            with Sender(alice, "clock", random.Random(1)) as sender:
                alice.connection.close()
                sender.send(Say("never sent"))
        with pytest.raises(ConnectionLost):
            sender.send(Say("nor this"))


@pytest.mark.records
class TestOnTheWire:
    """One client through a recorded server: the client's own records of application data behind its login."""

    @pytest.fixture
    def sent(self, secured, options, tmp_path):
        """``sent(cure)``: the records (seconds since the login, bytes) of a client that says TEXTS and leaves at once."""

        def record(cure: str, **more) -> list[tuple[float, int]]:
            with Tap(tmp_path / f"{cure}.pcapng", secured.port) as tap:
                bob = json_client("Bob", secured)
                alice = client_for(options(cure, **more).login()).connect()
                for text in TEXTS:
                    alice.say(text)
                alice.leave()
                assert [until(bob, Said)[-1].text for _ in TEXTS] == TEXTS
                bob.leave()
                tap.stop()
            flows = dissect.find_flows(dissect.read_segments(tap.path))
            [flow] = [flow for flow in flows if flow.initiator.port == alice.connection.local[1]]
            records = [one for one in dissect.read_records(flow.from_initiator) if one.content_type == 23]
            _finished, login, *others, _farewell = records
            return [((one.time_ns - login.time_ns) / 1e9, one.length - 17) for one in others]

        return record

    @staticmethod
    def by_the_clock(records: list[tuple[float, int]]) -> bool:
        """Return whether no record left before its turn, and all have the length of a block."""
        in_turn = all(time_s > TICK_S * turn - 0.001 for turn, (time_s, _) in enumerate(records, 1))
        return in_turn and {size for _, size in records} == {PAD_BYTES["clock"]}

    def test_by_the_clock_records_leave_in_their_turn_and_have_one_length(self, sent):
        assert self.by_the_clock(sent("clock"))
        assert not self.by_the_clock(sent("padding", pad_to=PAD_BYTES["clock"]))

    @pytest.mark.parametrize("cure", ["none", "padding", "chaff"])
    def test_all_lines_have_one_length(self, sent, cure):
        sizes = {size for _, size in sent(cure)}
        assert sizes == {PAD_BYTES[cure]} if cure in PAD_BYTES else len(sizes) > 2


class TestSwitch:
    """The switch as the programs have it."""

    @pytest.mark.maintainers
    def test_the_terminal_loses_nothing_when_its_input_ends(self, ours):
        with server_program("--cert", ours.certificate, "--key", ours.key, "--typing") as (_, port):
            switches = ["--wire", "json", "--tls", "--cafile", str(ours.ca), "--cure", "clock"]
            done = client_program("--name", "B", "--port", str(port), *switches, script="one\ntwo\n/quit\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-3:] == ["Users: B", "<B> one", "<B> two"]

    @pytest.mark.parametrize("cure", CURES[1:])
    def test_a_client_is_answered_as_without_a_cure(self, options, cure):
        alice = client_for(options(cure).login()).connect()
        alice.announce()
        assert alice.answered.wait(BOUND_S)
        say(alice, "hello")
        assert until(alice, Said)[-1].text == "hello"
        alice.say("x" * 1001)
        assert until(alice, Refused)[-1].reason == "bad_text"
        alice.say("last")
        alice.leave()
        assert until(alice, Said)[-1].text == "last"
        assert until(alice, Lost)[-1] == Lost(None)
        alice.leave()

    @pytest.mark.parametrize(
        "cure, given, says",
        [
            ("batching", {"wire": "report"}, "json wire over TLS"),
            ("clock", {"tls": False}, "json wire over TLS"),
            *((cure, {}, "--typing") for cure in IDLING),
        ],
    )
    def test_where_it_would_not_work_it_is_refused(self, options, serve, ours, cure, given, says):
        server = serve(tls=server_context(ours.certificate, ours.key))
        with pytest.raises(ChatError, match=says) as refusal:
            client_for(options(cure, server.port, **given).login()).connect()
        assert "\n" not in str(refusal.value)

    @pytest.mark.parametrize(
        "switches, says", [([], "--cure is for --tls"), (["--tls"], "--cure are for --wire json")]
    )
    def test_switches_that_do_not_go_together(self, switches, says, capsys):
        with pytest.raises(SystemExit) as refusal:
            client.main(["--cure", "clock", *switches])
        assert refusal.value.code == 2 and says in capsys.readouterr().err.splitlines()[-1]

    def test_the_windows_use_it_also_after_a_loss(self, options):
        """They make a client of the login, and for the next connection one of the last client's login."""
        login = options("clock").login()
        again = client_for(replace(client_for(login).login, name="Brandon"))
        assert isinstance(again, CuredClient) and again.login.pad_to == PAD_BYTES["clock"]
        assert type(client_for(options("none").login())) is ChatClient
