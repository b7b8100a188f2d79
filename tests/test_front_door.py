"""The commands as a user types them: by path, by -m, from another folder, with wrong words, and without rights."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from lab.__main__ import COMMANDS
from lab.commands.doctor import check_machine
from lab.exposure.scoring import CLASSES
from lab.net import namespace
from tests.chat import screen
from tests.support import ROOT, needs_namespaces

NARROW = {**os.environ, "PYTHONIOENCODING": "ascii"}  # a terminal's encoding that lacks many letters


def run(*command, cwd=ROOT, **options):
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=100, **options
    )


@pytest.mark.parametrize("way", [["lab"], ["-m", "lab"], [ROOT / "lab"]])
def test_the_front_door_lists_its_commands(way, tmp_path):
    done = run(sys.executable, *way, cwd=tmp_path if way[0] == ROOT / "lab" else ROOT)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_an_unknown_command():
    done = run(sys.executable, "lab", "deom")
    assert done.returncode == 2
    assert "'deom'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "test"])
def test_every_command_explains_itself(name):
    done = run(sys.executable, "lab", name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


@pytest.mark.parametrize("way", [[ROOT / "lab" / "capture.py"], [ROOT / "lab", "capture"]])
def test_the_harness_by_path_from_another_folder(way, tmp_path):
    done = run(sys.executable, *way, "--out", "here", "--tls", "none", "1.3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "plain.pcapng",
        "tls13.pcapng",
        "manifest.json",
    }


def test_the_harness_by_module(tmp_path):
    done = run(sys.executable, "-m", "lab.capture", "--out", tmp_path, "--json")
    assert json.loads(done.stdout)["recordings"][0]["file"] == "plain.pcapng"


@pytest.mark.parametrize(
    "words", [["--port", "99999"], ["--port", "none"], ["--tls", "1.1"], ["--seed", "x"], ["--tls"]]
)
def test_the_harness_refuses_bad_words(words, tmp_path):
    done = run(sys.executable, "lab/capture.py", "--out", tmp_path, *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and done.stderr.strip()


def test_the_harness_with_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run(sys.executable, "lab/capture.py", "--out", tmp_path / "file" / "x")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "cannot write" in done.stderr


def test_demo(tmp_path):
    done = run(sys.executable, ROOT / "lab", "demo", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = {"plain.pcapng", "tls13.pcapng", "manifest.json", "exposure.png", "report.html"}
    assert files <= {path.name for path in (tmp_path / "out").iterdir()}
    for part in (
        "(a) The three-way handshake",
        "(b) PSH payloads",
        "(c) The same lines",
        "SYN, ACK",
        "hello",
        "What next",
    ):
        assert part in done.stdout
    for file in files:
        assert f"out{os.sep}{file}" in done.stdout
    assert "(d) How much of each class" in done.stdout and "The chat had no private messages." in done.stdout
    [content] = [line.split() for line in done.stdout.splitlines() if line.startswith(" content ")]
    assert " ".join(content).endswith("17 of 17 80 to 100 % 0 of 17 0 to 20 %")
    *_, found, meaning = done.stdout.splitlines()
    assert (
        "18 of 18" in done.stdout
        and found == "An eavesdropper reads 18 of 18 lines in plaintext and 0 of 18 lines over TLS 1.3."
    )
    assert meaning.startswith("TLS hides what is said;") and "more; --all-rows shows them." in done.stdout


@pytest.mark.maintainers
def test_demo_as_json_prints_json_and_nothing_else(tmp_path):
    done = run(sys.executable, "lab", "demo", "--json", "--seed", "5", "--out", tmp_path, env=NARROW)
    facts = json.loads(done.stdout)
    assert [step["flags"] for step in facts["handshake"]] == ["SYN", "SYN, ACK", "ACK"]
    plain, tls = facts["sessions"]
    assert plain["scores"]["content"]["share"] == 1 and tls["scores"]["content"]["share"] == 0
    assert len(tls["eavesdropper"]) >= 25
    assert done.stderr == ""


@pytest.mark.maintainers
def test_demo_quiet_names_the_files(tmp_path):
    done = run(sys.executable, "lab", "demo", "--quiet", "--out", tmp_path)
    assert [line.rpartition(os.sep)[2] for line in done.stdout.splitlines()] == [
        "plain.pcapng",
        "tls13.pcapng",
        "manifest.json",
        "exposure.png",
        "report.html",
    ]


@pytest.mark.maintainers
def test_demo_goes_on_with_the_shipped_captures_where_nobody_may_record(tmp_path, monkeypatch, capsys):
    from lab.commands import demo

    monkeypatch.setattr("lab.harness.session.may_record", lambda: "this user may not record on lo: refused")
    monkeypatch.setattr("lab.net.namespace.refusal", lambda: "unshare: Operation not permitted")
    assert demo.main(["--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "captures that ship" in printed.err and "18 of 18" in printed.out
    assert (tmp_path / "exposure.png").exists() and not (tmp_path / "plain.pcapng").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_ctrl_c_leaves_no_process_and_no_broken_file(tmp_path):
    """Ctrl-C while the second recording waits to begin: it can be at no other place."""
    program = (
        "import sys; from lab.setup import bootstrap\n"
        "from lab.harness.session import record\nfrom lab.harness.variant import Variant\n"
        "def say(line):\n"
        "    print(line, flush=True)\n"
        "    if 'tls13' in line: sys.stdin.read()\n"
        f"record({str(tmp_path)!r}, [Variant(), Variant('1.3')], say=say)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, start_new_session=True, **pipes)
    while "tls13" not in process.stdout.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode and "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    from lab.dissect.files.capture_file import read_capture

    captures = list(tmp_path.glob("*.pcapng"))
    assert captures and all(read_capture(path).truncated is None for path in captures)
    assert not (tmp_path / "manifest.json").exists()


def test_what_the_terminals_encoding_has_no_letters_for_is_escaped():
    done = run(sys.executable, "lab", "dissect", "captures/chat/plain.pcapng", "--follow", "0", env=NARROW)
    assert done.returncode == 0 and "\\ufffd" in done.stdout, done.stderr


def test_two_recordings_into_one_folder_do_not_destroy_each_other(tmp_path):
    from lab.setup.folder_lock import folder_lock

    with folder_lock(tmp_path):
        done = run(sys.executable, "lab/capture.py", "--out", tmp_path)
    assert done.returncode == 2 and "another recording" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_variant_asked_for_twice_is_recorded_once(tmp_path):
    done = run(sys.executable, "lab/capture.py", "--out", tmp_path, "--tls", "none", "none", "--json")
    assert [entry["file"] for entry in json.loads(done.stdout)["recordings"]] == ["plain.pcapng"]


@needs_namespaces
def test_quiet_is_quiet_in_a_namespace_too(tmp_path, monkeypatch, capfd):
    from lab import capture

    monkeypatch.setattr("lab.harness.session.may_record", lambda: "this user may not record on lo: refused")
    assert capture.main(["--out", str(tmp_path), "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    assert capture.main(["--out", str(tmp_path)]) == 0
    assert "recording plain.pcapng" in capfd.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="a pipe that breaks, as on POSIX")
@pytest.mark.parametrize(
    "command, beginning",
    [
        ("dissect captures/chat/plain.pcapng --follow 0", ""),
        pytest.param("demo --out {}", "Recording", marks=pytest.mark.maintainers),
    ],
)
def test_a_reader_that_goes_early_is_no_error(command, beginning, tmp_path):
    command = f"{shlex.quote(sys.executable)} lab {command.format(shlex.quote(str(tmp_path)))} | head -3"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(beginning) and done.stdout and "Traceback" not in done.stderr


def test_the_page_about_a_pair(tmp_path):
    chat = ROOT / "captures" / "chat"
    done = run(
        sys.executable,
        "lab",
        "report",
        chat / "plain.pcapng",
        chat / "tls13.pcapng",
        "-o",
        tmp_path / "r.html",
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "the door code is" in page and page.count('<table class="hops">') == 2
    assert page.count('<svg class="share"') == 2 * len(CLASSES)  # a bar for each class of each session
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing is loaded from anywhere


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_prints_a_line_a_thing():
    done = run(sys.executable, "lab", "doctor")
    assert done.returncode in (0, 1) and done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("faults:")]
    assert all(line.split()[0] in ("ok", "note", "fault") for line in lines)
    for thing in (
        "Python",
        "tkinter",
        "display",
        "packages",
        "namespaces",
        "recording",
        "tshark",
        "port 9898",
    ):
        assert any(thing in line for line in lines)


def test_doctor_has_a_fix_for_whatever_is_not_well():
    for finding in check_machine():
        assert bool(finding.fix) == (finding.state != "ok"), finding


def test_doctor_tries_the_graders_sandbox_without_the_packages():
    report = "from lab.instructor import sandbox; print(sandbox.report())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", report], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stderr == "" and "sandbox" in done.stdout


def test_doctor_sees_a_taken_port_and_a_missing_tshark(tmp_path):
    import socket

    try:
        taken = socket.create_server(("127.0.0.1", 9898))
    except OSError:
        taken = None  # somebody has it already: as good
    try:
        done = run(sys.executable, ROOT / "lab", "doctor", env={**os.environ, "PATH": str(tmp_path)})
    finally:
        if taken:
            taken.close()
    assert "port 9898      taken" in done.stdout
    assert "tshark         missing" in done.stdout


@pytest.mark.skipif(screen.missing() is not None, reason=str(screen.missing()))
def test_doctor_knocks_at_the_screen_that_is_named(monkeypatch):
    def display():
        return next(finding for finding in check_machine() if finding.what == "display")

    with screen.xvfb() as name:
        monkeypatch.setenv("DISPLAY", name)
        assert display().state == "ok"
    monkeypatch.setenv("DISPLAY", ":97531")
    assert display().state == "note" and ":97531 does not answer" in display().detail


@pytest.mark.parametrize(
    ("path", "value", "fix"),
    [
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict"),
        ("/proc/sys/user/max_user_namespaces", "0", "max_user_namespaces"),
        ("/proc/self/status", "2", "container"),
        ("", "", "virtual machine"),
    ],
)
def test_doctor_names_what_forbids_namespaces(monkeypatch, path, value, fix):

    monkeypatch.setattr(namespace, "read_setting", lambda asked, line="": value if asked == path else None)
    sentence, cure = namespace.cause_of("unshare: Operation not permitted")
    assert fix in cure and sentence
