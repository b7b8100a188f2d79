"""``python3 lab check``, as students type it and as a notebook calls it."""

import contextlib
import io
import shutil
import subprocess
import sys
import time

import pytest

from lab import exercises
from lab.commands import check
from lab.instructor import stubs
from tests.bench.misconceptions import all_tasks
from tests.support import ROOT, copy_kit


def lab_check(*words, cwd=ROOT):
    command = [sys.executable, str(ROOT / "lab"), "check", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100)


@pytest.fixture
def sheets(tmp_path):
    """A folder with every solution, for planting things into."""
    for path in stubs.solutions():
        shutil.copy(path, tmp_path)
    return tmp_path


def plant(path, right, wrong):
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


def test_done_wrong_and_not_attempted_a_line_each_and_a_bar(sheets, tmp_path):
    plant(sheets / "sheet_07_threads.py", "if len(member.pending) > limit:", "while True:")
    shutil.copy(ROOT / "lab" / "exercises" / "sheet_05_plaintext_or_tls.py", sheets)
    started = time.monotonic()
    done = lab_check("--sheets", sheets, "--time-limit", "1", cwd=tmp_path)
    assert time.monotonic() - started < 60
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    states = {
        name: sum(line.startswith(f"  {name} ") for line in lines)
        for name in ("done", "wrong", "not attempted")
    }
    untried = sum(sheet == "05_plaintext_or_tls" for sheet, _ in all_tasks())
    done_tasks = len(all_tasks()) - untried - 1
    assert states == {"done": done_tasks, "wrong": 1, "not attempted": untried}
    assert "an endless loop" in done.stdout and "given      everybody reads" in done.stdout
    assert f"{done_tasks} of {len(all_tasks())} tasks done" in lines[-1] and "[###" in lines[-1]


def test_a_sheet_that_is_no_python_is_a_story_and_the_others_are_checked(tmp_path):
    kit = copy_kit(tmp_path)
    sheets = kit / "lab" / "exercises"
    with (sheets / "sheet_02_handshake.py").open("a") as file:
        file.write("def x(:\n")
    (sheets / "sheet_03_psh_and_payloads.py").write_bytes(b"# caf\xe9\n")
    (sheets / "sheet_07_threads.py").unlink()
    command = [sys.executable, str(kit / "lab"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.count("\nsheet_02_handshake.py\n  came back  the file cannot be loaded") == 1
    assert "Traceback" not in done.stdout
    assert f" of {len(all_tasks())} tasks done" in done.stdout
    assert "parse_ethernet" in done.stdout and "not attempted  parse_records" in done.stdout


@pytest.mark.parametrize(
    "word",
    ["2", "handshake", *(pytest.param(one, marks=pytest.mark.maintainers) for one in ("02", "02_handshake"))],
)
def test_one_sheet_by_number_or_name_and_nothing_else(sheets, word):
    done = lab_check(word, "--sheets", sheets)
    assert done.returncode == 0 and "find_handshake" in done.stdout and "reassemble" not in done.stdout


def test_a_sheet_that_is_not_there():
    done = lab_check("12")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def test_a_file_that_cannot_be_loaded_is_told_with_its_line(sheets):
    (sheets / "sheet_03_psh_and_payloads.py").write_text("x = 1\ndef broken(:\n")
    done = lab_check("03", "--sheets", sheets)
    assert done.returncode == 1 and done.stdout.count("SyntaxError in line 2") == 1
    assert done.stdout.count("sheet_03_psh_and_payloads.py\n  came back  the file cannot be loaded") == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_a_sheet_that_was_deleted_is_missing_and_not_wrong(tmp_path, capsys):
    assert check.main(["02", "--sheets", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("\n  missing  ") == 4 and "wrong" not in printed and "Errno" not in printed
    assert f"sheet_02_handshake.py is not in {tmp_path}: unpack it anew" in printed


def test_from_a_notebook_cell():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exercises.check("07")
    assert "not attempted  broadcast" in printed.getvalue() and "tasks done" in printed.getvalue()


def test_answers_are_counted_and_a_broken_line_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "PROGRESS", tmp_path / "progress.json")
    for student, text in (
        ("s1", 'student = "s1"\nserver_port = 5\nclient_isn = "7"\nport = 5\n'),
        ("s2", "port = five\n"),
    ):
        (tmp_path / student).mkdir()
        (tmp_path / student / "answers.toml").write_text(text)
    check.print_answers()
    printed = capsys.readouterr().out
    assert "s1/answers.toml: 3 answered" in printed and "s2/answers.toml cannot be read: line 1" in printed
    assert "client_isn: a whole number is asked for, not '7'" in printed
    assert "port: no question is called that" in printed and "server_port:" not in printed


def test_a_story_of_made_up_frames_leaves_a_capture_to_open(sheets):
    from lab.dissect.files.capture_file import read_capture

    plant(
        sheets / "sheet_06_bad_weather.py",
        "stream.setdefault(first + place, byte)",
        "stream[first + place] = byte",
    )
    done = lab_check("06", "--sheets", sheets)
    assert "captures/mine/check/reassemble.pcapng" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("  frame ")]
    assert 1 <= int(line.split()[1]) <= len(read_capture(ROOT / "captures/mine/check/reassemble.pcapng"))
    assert f"frame.number == {line.split()[1]}" in done.stdout
