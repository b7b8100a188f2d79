"""``python3 lab room``: three windows used as people would, a script, and a shell on a host."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.chat import events
from lab.chat.report_wire import ReportWire
from lab.commands import room
from lab.dissect.files.capture_file import read_capture
from lab.exposure import eavesdrop
from lab.harness.script import make_script
from lab.setup.folder_lock import folder_lock
from tests.chat import screen
from tests.chat.screen import press, settled_picture, until_running, windows_called, xdotool
from tests.support import ROOT, needs_namespaces, processes_marked, shared_folder

pytestmark = needs_namespaces
ROOM = [sys.executable, str(ROOT / "lab"), "room"]
BOUND_S = 60

ADDRESSES = {"Brandon": "10.27.27.206", "John": "10.27.27.49", "Alice": "10.27.27.43"}
LINES = {"Brandon": "hello", "John": "hi everyone", "Alice": "good to see you two"}


@pytest.fixture(autouse=True)
def one_room_at_a_time(tmp_path_factory):
    """A checkout has one door to a running room, which the workers take in turn."""
    with folder_lock(shared_folder(tmp_path_factory), wait=True):
        yield


def test_intercepted_text_cannot_steer_the_terminal(tmp_path, capsys):
    recorded = (ROOT / "captures" / "chat" / "plain.pcapng").read_bytes()
    (tmp_path / "room.pcapng").write_bytes(recorded.replace(b"hello", b"\x1b[2J!"))
    room.print_summary(tmp_path / "room.pcapng")
    printed = capsys.readouterr().out
    assert r"Brandon: \x1b[2J!" in printed and "\x1b" not in printed


# The windows


def read_arrival(room: subprocess.Popen) -> str:
    """Return the user that connects next, by the server's console; the address must be that of the user's host."""
    for line in room.stdout:
        if match := re.match(r"server \| \*\*\* (\w+) Connected (.*)", line):
            assert ADDRESSES[match[1]] in match[2]
            return match[1]
    raise AssertionError("the room has ended")


def wait_until_sent(capture: Path, reply: events.Reply, times: int, room: subprocess.Popen) -> None:
    """Until the server has sent this so often (once to everyone), by the recording that is being made."""

    def so_often() -> bool:
        recorded = read_capture(capture)
        frames = (bytes(recorded.frame(number)) for number in range(1, len(recorded) + 1))
        return sum(frame.count(ReportWire.encode(reply)) for frame in frames) == times

    until_running(so_often, room, f"{reply} has been sent to {times} users")


MISSING = screen.missing() or next(
    (f"{one} is not installed" for one in ("xdotool", "import") if shutil.which(one) is None), None
)


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_three_users_at_three_windows(tmp_path):
    capture = tmp_path / "room.pcapng"
    with screen.xvfb("2100x500x24") as display:
        environment = os.environ | {"DISPLAY": display}
        room = subprocess.Popen(
            [*ROOM, "--out", tmp_path],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            logins = until_running(
                lambda: found if len(found := windows_called(display, "Enter Username")) == 3 else None,
                room,
                "three login windows",
            )
            windows: dict[str, str] = {}  # by user, in order of arrival
            for number, window in enumerate(logins):
                xdotool(display, "windowmove", "--sync", window, 700 * number, 0)
                press(display, window, "Return")
                windows[read_arrival(room)] = window
                present = events.Users(tuple(windows))
                wait_until_sent(capture, present, len(windows), room)
            assert set(windows_called(display, "Chatting Program")) == set(logins)
            for name, window in windows.items():
                xdotool(display, "windowfocus", "--sync", window, "type", "--delay", "1", LINES[name])
                press(display, window, "Return")
                wait_until_sent(capture, events.Said(name, LINES[name]), 3, room)
            shell = subprocess.run(
                [*ROOM, "--shell", "PC 2"], input="cat /proc/net/fib_trie; exit 4\n", capture_output=True, text=True,
                timeout=BOUND_S,
            )  # fmt: skip
            assert shell.returncode == 4 and "10.27.27.49" in shell.stdout, (
                "a shell in the room that is running"
            )
            assert "No room is running" not in shell.stdout
            picture = settled_picture(display, tmp_path / "room.png")
            assert len(picture) > 10_000, "an empty screen is a much smaller PNG"
            for window in windows.values():  # the Disconnect button is the bottom line of the window
                geometry = xdotool(display, "getwindowgeometry", "--shell", window)
                width, height = (
                    int(re.search(rf"{name}=(\d+)", geometry)[1]) for name in ("WIDTH", "HEIGHT")
                )
                xdotool(
                    display, "mousemove", "--sync", "--window", window, width // 2, height - 20, "click", 1
                )
            output, errors = room.communicate(timeout=BOUND_S)
        finally:
            if room.poll() is None:
                room.terminate()
                room.wait()
    assert (room.returncode, errors) == (0, "")
    lines = output.splitlines()
    assert "server | Close Connections..." in lines
    assert "Read from it, without any key: 3 users, 3 lines." in lines
    intercept = eavesdrop(capture)
    assert intercept.names == list(windows) and intercept.lines == [(name, LINES[name]) for name in windows]
    if kept := os.environ.get("LAB_SCREENSHOTS"):
        shutil.copy(tmp_path / "room.png", Path(kept) / "room.png")


# Without windows


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    out = tmp_path_factory.mktemp("played")
    command = [*ROOM, "--headless", "--seed", "5", "--at", "server", "PC1", "--out", out]
    command += [
        "--order",
        "drop the second data segment from PC1",
        "--order",
        "drop the 99th data segment from PC1",
    ]
    return out, subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S)


def test_a_script_is_played_without_windows_and_leaves_capture_and_manifest(played):
    out, done = played
    assert (done.returncode, done.stderr) == (0, "")
    (entry,) = json.loads((out / "manifest.json").read_text())["recordings"]
    capture = read_capture(out / "room.pcapng")
    assert [one.name for one in capture.interfaces] == ["server/eth0", "PC1/eth0"]
    assert entry["frames"] == len(capture)
    said = tuple((event["who"], event["text"]) for event in entry["events"] if event["action"] == "say")
    assert said == make_script(5).lines
    everything = b"".join(bytes(capture.frame(number)) for number in range(1, len(capture) + 1))
    assert all(f"<{who}> {text}".encode() in everything for who, text in said)


def test_it_tells_what_the_switch_has_done(played):
    _, done = played
    told = [line for line in done.stdout.splitlines() if line.startswith("switch | ")]
    assert len(told) == 2 and told[0].startswith("switch | drop the second data segment from PC1: frame ")
    assert told[1].startswith("switch | drop the 99th data segment from PC1: not carried out")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--headless", "--order", "eat the cable"], "lab room: cannot read the order 'eat the cable'"),
        (
            ["--headless", "--order", "drop the SYN from Mars"],
            "lab room: no host 'Mars': there are server, PC1",
        ),
        (["--headless", "--at", "Mars"], "lab room: no host 'Mars'"),
        (["--headless", "--at", "switch/PC9"], "lab room: no port 'PC9' on the switch"),
        (["--headless", "--at", "PC1/eth7"], "lab room: PC1 has no card 'eth7'"),
        (["--shell", "Mars"], "lab room: no host 'Mars'"),
        ([], "lab room: there is no screen here"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, arguments, says, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    recorded = [tmp_path / "room.pcapng", tmp_path / "manifest.json"]
    for path in recorded:
        path.write_text("of an earlier room")
    assert room.main([*arguments, "--out", str(tmp_path)]) == 2
    output, errors = capsys.readouterr()
    assert errors.startswith(says) and len(errors.splitlines()) == 1
    assert "replacing" not in output and [path.read_text() for path in recorded] == ["of an earlier room"] * 2


@pytest.mark.parametrize(
    "display, says",
    [
        ("elsewhere:10.0", "lab room: the screen elsewhere:10.0 is reached over a network"),
        (":4711", "lab room: the screen :4711 has no Unix socket"),
    ],
)
def test_a_screen_that_no_host_can_reach_is_refused(tmp_path, display, says, capsys, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    assert room.main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(says)


def test_ctrl_c_leaves_a_capture_that_can_be_read_and_nothing_else(tmp_path):
    # The SYN-ACK is held up, so that the room is waiting in the middle of a step.
    command = [*ROOM, "--headless", "--order", "hold the SYN-ACK 30 s", "--out", tmp_path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = os.environ | {"LAB_TEST_ROOM": str(tmp_path)}
    room = subprocess.Popen(command, **pipes, env=environment, start_new_session=True)
    capture = tmp_path / "room.pcapng"
    mark = f"LAB_TEST_ROOM={tmp_path}"
    until_running(
        lambda: capture.exists() and b"\x26\xaa" in capture.read_bytes(), room, "a frame to port 9898"
    )
    assert len(processes_marked(mark)) > 4, "the search finds what is there"
    os.killpg(room.pid, signal.SIGINT)  # as a terminal does
    output, errors = room.communicate(timeout=BOUND_S)
    assert (room.returncode, errors.strip()) == (130, "lab: interrupted")
    assert processes_marked(mark) == []
    assert len(read_capture(capture)) > 0 and read_capture(capture).truncated is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["room.pcapng"]


# A shell


def test_a_shell_on_a_host_at_a_terminal():
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "dumb"}
    process = subprocess.Popen(
        [*ROOM, "--shell", "laptop"], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0),
    )  # fmt: skip
    os.close(its)
    seen = b""

    def read_until(wanted: bytes) -> None:
        nonlocal seen
        while wanted not in seen:
            assert select.select([ours], [], [], BOUND_S)[0], f"{wanted!r} never came, but {seen!r}"
            try:
                seen += os.read(ours, 4096)
            except OSError:
                raise AssertionError(
                    f"the shell ended with {process.wait()} before {wanted!r}: {seen!r}"
                ) from None
        seen = seen.partition(wanted)[2]

    try:
        read_until(b"You are on laptop (10.27.27.43)")
        read_until(b"[laptop]")
        os.write(ours, b"sh -c 'echo run''ning; exec sleep 1000'\n")
        read_until(b"running")
        os.write(ours, b"\x03")  # Ctrl-C ends what runs in the shell, and not the room
        read_until(b"[laptop]")
        os.write(ours, b"cat /proc/net/fib_trie\n")
        read_until(b"10.27.27.43")
        os.write(ours, b"exit 5\n")
        while select.select([ours], [], [], BOUND_S)[0]:
            try:
                if not os.read(ours, 4096):
                    break
            except OSError:  # the other end is closed
                break
        assert process.wait(BOUND_S) == 5
    finally:
        process.kill()
        process.wait()
        os.close(ours)
