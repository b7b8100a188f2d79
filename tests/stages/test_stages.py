"""The stages as programs: each runs, talks to the clients of its wire, and differs from its neighbour in one idea."""

import ast
import importlib
import signal
import socket
import subprocess
import sys

import pytest

from lab.chat import events
from lab.chat.server import ChatServer
from lab.stages import report
from lab.stages.compare import Changes
from tests.chat.report_peer import ReportClient
from tests.chat.rig import BOUND_S, joined, json_client, raw, read_to_end, say, until
from tests.stages.rig import JSON_WIRE, REPORT_WIRE, STAGES, Running, serving
from tests.support import ROOT

FOLDER = ROOT / "lab" / "stages"
PROGRAMS = (*STAGES, "report_client", "compare")
PAIRS = list(zip(STAGES, STAGES[1:], strict=False))


@pytest.mark.parametrize("stage", STAGES)
def test_its_console_prints_what_figure_4_4_shows(stage):
    with Running(stage) as server:
        with raw(server.port) as client:
            wire = "json" if stage in JSON_WIRE else "report"
            client.sendall(b'{"event":"join","name":"John"}\n' if wire == "json" else b"John")
            where = f"(IP: 127.0.0.1 | Remote addr: {client.getsockname()[1]})"
            server.until("Connected")
        server.until("Disconnected")
        server.process.send_signal(signal.SIGINT)
        rest, _ = server.process.communicate(timeout=20)
        assert [*server.console, *rest.splitlines()] == [
            "Allowing Connections...",
            f"Listening on 127.0.0.1 port {server.port}; Ctrl-C ends.",
            f"*** John Connected {where} ***",
            f"*** <John> {where} Disconnected ***",
            "Close Connections...",
        ]
        assert server.process.returncode == 0


def test_it_listens_on_this_computer_only_unless_told():
    with Running("report") as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", server.port), 5)
    with Running("report", "--host", "0.0.0.0") as server:
        socket.create_connection(("127.0.0.2", server.port), 5).close()


@pytest.mark.parametrize("stage", REPORT_WIRE)
def test_the_reports_client_and_ours_meet_in_a_stage_on_the_report_wire(stage):
    with Running(stage) as server:
        brandon = joined("Brandon", server)
        with ReportClient("John", server.port) as john:
            john.until(["Brandon", "John"])
            until(brandon, events.Users(("Brandon", "John")))
            say(brandon, "hello ä€")
            john.until("<Brandon> hello ä€")
            john.send("hi")
            until(brandon, events.Said("John", "hi"))
        until(brandon, events.Users(("Brandon",)))
        brandon.leave()
        assert until(brandon, events.Lost)[-1] == events.Lost(None)


@pytest.mark.parametrize("stage", JSON_WIRE)
def test_our_clients_meet_in_a_stage_on_the_json_wire(stage):
    with Running(stage) as server:
        brandon = json_client("Brandon", server)
        john = json_client("John", server)
        until(brandon, events.Joined("John"))
        say(brandon, "hello ä€")
        assert until(john, events.Said)[-1].text == "hello ä€"
        john.ask_users()
        john.answered.wait(BOUND_S)
        until(john, events.Users(("Brandon", "John")))
        with raw(server.port) as other:
            other.sendall(b"a name on the report wire\n")
            assert read_to_end(other) == b"", "it does not speak that"
        john.leave()
        until(brandon, events.Left("John"))
        brandon.leave()


def conversation(port: int) -> list[str]:
    """Return what the report's client program prints when its user says hello and leaves."""
    command = [sys.executable, str(FOLDER / "report_client.py"), "Brandon", "--port", str(port)]
    done = subprocess.run(command, input="hello\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout.splitlines()


def test_the_reports_client_program_talks_to_our_server_and_to_its_own():
    end = "The server has closed the connection."
    with ChatServer("127.0.0.1", 0, console=print) as ours:
        attempts = (conversation(ours.port) for _ in range(5))  # only time keeps its sends apart
        assert ["*** Brandon Connected ***", "['Brandon']", "<Brandon> hello", end] in attempts
    with Running("report") as own:
        attempts = (conversation(own.port) for _ in range(5))
        assert any(lines[-2:] == ["<Brandon> hello", end] for lines in attempts)


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_starts_where_no_package_is_installed(program, tmp_path):
    command = [sys.executable, "-S", "-E", "-s", str(FOLDER / f"{program}.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0 and f"usage: {program}.py" in done.stdout, done.stderr


def test_a_port_that_cannot_be_had_is_one_line_and_exit_code_2(capsys):
    with serving(report) as server:
        for port in (server.port, 70_000):
            with pytest.raises(SystemExit) as exit:
                report.main(["--port", str(port)])
            error = capsys.readouterr().err
            assert exit.value.code == 2 and f"cannot listen on 127.0.0.1 port {port}" in error
            assert error.count("\n") == 1


# One idea each


def functions(stage: str) -> list[str]:
    tree = ast.parse((FOLDER / f"{stage}.py").read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_whole_server_in_60_to_150_lines(stage):
    assert 60 <= len((FOLDER / f"{stage}.py").read_text(encoding="utf-8").splitlines()) <= 150
    assert importlib.import_module(f"lab.stages.{stage}").Server.__module__ == f"lab.stages.{stage}"


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_stage_keeps_the_names_and_their_order(before, after):
    kept = [name for name in functions(after) if name in functions(before)]
    assert kept == functions(before)


def test_the_first_two_changes_are_one_line():
    nodelay, backlog = (Changes(*pair) for pair in PAIRS[:2])
    assert (nodelay.removed, nodelay.added) == (0, 1) and "+            client.setsockopt(" in str(nodelay)
    assert (backlog.removed, backlog.added) == (1, 1) and "+BACKLOG = 4096" in str(backlog)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_changes_are_the_same_as_text_and_as_a_table(before, after):
    changes = Changes(before, after)
    text = str(changes).splitlines()
    assert text[:2] == [f"--- {before}.py", f"+++ {after}.py"]
    assert sum(line.startswith("+") for line in text[2:]) == changes.added < 60
    assert sum(line.startswith("-") for line in text[2:]) == changes.removed < 30
    assert f"{before}.py" in (table := changes._repr_html_()) and "<table" in table


def test_the_readme_names_each_stage():
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30 and all(any(f"`{stage}.py`" in line for line in lines) for stage in STAGES)
