"""The calls' protocol: results, named errors, deadlines, bounds, descriptors, and an agent's end."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lab.net import host_agent
from lab.net.host_agent import Answer, Caller, Channel, HostAgent, HostAgentError, answer
from lab.net.orders import ConditionError
from tests.support import needs_namespaces

pytestmark = needs_namespaces  # which only Linux has, as it has all that an agent needs


class Target:
    """What a test calls."""

    def double(self, text: str) -> str:
        return text * 2

    def refuse(self) -> None:
        raise ConditionError("counting starts at 1")

    def fail(self) -> None:
        raise ZeroDivisionError("by zero")

    def missing(self) -> None:
        Path("/no/such/file").read_bytes()

    def pipe(self) -> Answer:
        return Answer("both ends", list(os.pipe()))

    def hand_over(self) -> Answer:
        return Answer(None, list(os.pipe()), close=True)

    def wait(self, seconds: float) -> str:
        time.sleep(seconds)
        return "late"

    def exit(self) -> None:
        os._exit(3)


@pytest.fixture
def connected():
    """A caller, and the channel of the other side."""
    ours, its = socket.socketpair()
    with ours, its:
        yield Caller(ours, "the other side", [ConditionError]), Channel(its)


@pytest.fixture
def caller(connected):
    """A caller whose calls a thread answers."""
    caller, channel = connected

    def serve():
        while (received := channel.receive()) is not None:
            answer(channel, received[0], Target())

    thread = threading.Thread(target=serve)
    thread.start()
    yield caller
    caller.close()
    thread.join()


def test_a_result_comes_back_whatever_its_length(caller):
    for length in (0, 1, 300_000, 5_000_000):
        assert caller.call("double", text="é" * length) == "é" * 2 * length


def test_an_expected_error_is_raised_as_what_it_is(caller):
    with pytest.raises(ConditionError, match="^counting starts at 1$"):
        caller.call("refuse")
    assert caller.call("double", text="a") == "aa", "and the next call is answered"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("fail", r"^by zero \(ZeroDivisionError\)$"),
        ("missing", r"No such file or directory: '/no/such/file' \(FileNotFoundError\)$"),
        ("nothing", r"\(AttributeError\)$"),
        ("__init__", r"\(AttributeError\)$"),
    ],
)
def test_any_other_error_keeps_its_name_and_text(caller, method, text):
    with pytest.raises(HostAgentError, match=text):
        caller.call(method)


def test_a_late_response_is_not_taken_for_the_next(caller):
    with pytest.raises(HostAgentError, match="the other side has not answered within 0.05 s"):
        caller.call("wait", within_s=0.05, seconds=0.3)
    assert caller.call("double", text="b") == "bb"


def test_a_call_that_nobody_reads_has_a_deadline_too(connected):
    caller, _ = connected
    with pytest.raises(HostAgentError, match="has not answered within 0.1 s"):
        caller.call("double", within_s=0.1, text="x" * 5_000_000)


def test_descriptors_come_with_a_response(caller):
    assert caller.call("pipe") == "both ends"
    reading, writing = caller.descriptors
    os.write(writing, b"through")
    assert os.read(reading, 7) == b"through"
    os.close(reading)
    os.close(writing)


def test_descriptors_that_are_handed_over_are_closed_where_they_were(caller):
    caller.call("hand_over")
    reading, writing = caller.descriptors
    os.close(writing)
    caller.call("double", text="the response before this one has been dealt with")
    assert os.read(reading, 1) == b"", "no other end is left that could write"
    os.close(reading)


def test_a_message_has_a_bound_both_ways(caller, connected, monkeypatch):
    monkeypatch.setattr(host_agent, "MESSAGE_BYTES", 1000)
    with pytest.raises(HostAgentError, match="is longer than 1000"):
        caller.call("double", text="x" * 1000)


def test_a_length_beyond_the_bound_ends_the_connection(connected):
    caller, channel = connected
    channel.socket.sendall((host_agent.MESSAGE_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(HostAgentError, match="the other side has ended"):
        caller.call("double", text="a")


@pytest.mark.parametrize("data", [b"\xff", b"{", b"[]", b"7", b"[" * 100_000])
def test_anything_but_a_json_object_is_an_error_with_a_name(data):
    ours, its = socket.socketpair()
    with ours, its:
        ours.sendall(len(data).to_bytes(4, "big") + data)
        with pytest.raises(HostAgentError, match="a message is not"):
            Channel(its).receive(time.monotonic() + 10)


def test_a_length_may_arrive_in_pieces():
    ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)  # one piece for each read
    with ours, its:
        for piece in (b"\0\0", b"\0\2", b"{}"):
            ours.sendall(piece)
        assert Channel(its).receive(time.monotonic() + 10) == ({}, [])


def test_an_agent_is_a_process_of_its_own_and_ends_with_its_connection():
    with HostAgent(subprocess.Popen, "tests.net.test_host_agent:Target") as agent:
        assert agent.call("double", text="a") == "aa"
        process = agent.process
    assert process.poll() == 0


def test_an_agent_that_dies_is_an_error_and_not_a_wait():
    with HostAgent(subprocess.Popen, "tests.net.test_host_agent:Target", "the agent") as agent:
        with pytest.raises(HostAgentError, match="the agent has ended"):
            agent.call("exit")


def test_an_agent_in_the_middle_of_a_call_is_interrupted_with_its_caller():
    with pytest.raises(KeyboardInterrupt):
        with HostAgent(subprocess.Popen, "tests.net.test_host_agent:Target") as agent:
            assert agent.call("double", text="it runs") == "it runsit runs"
            with pytest.raises(HostAgentError):
                agent.call("wait", within_s=0.1, seconds=60)
            raise KeyboardInterrupt
    assert agent.process.poll() == 130


def test_an_agent_that_was_not_called_ends_without_a_word():
    """A failure of the caller's own once interrupted a process that was still starting, which then printed that."""

    def popen(*arguments, **options):
        return subprocess.Popen(*arguments, stderr=subprocess.PIPE, **options)

    with pytest.raises(ValueError), HostAgent(popen, "tests.net.test_host_agent:Target") as agent:
        raise ValueError
    assert agent.process.stderr.read() == b"" and agent.process.returncode == 0
    agent.process.stderr.close()
