"""Hand-ins that attack what is written about them: names, notes, answers and error texts, among honest ones."""

import csv
import html
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.tasks import Student, load_tasks
from lab.harness.student_capture import ANSWERS
from lab.instructor import outputs, platforms
from lab.instructor.marking import secret_seed
from lab.instructor.roster import Entry
from lab.instructor.stubs import SOLUTIONS
from tests.bench.submissions_of_a_class import with_body
from tests.instructor.hand_ins import SHEET, command, hand_in, marks, refused, roster, solution

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux only")

HONEST = ["a-honest", "m-honest", "z-honest"]
TASKS = [f"07_threads.{name}" for name in ("broadcast", "next_batch")]
NOTE = "submission.json"
CONTROL = re.compile(
    r"[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)  # what a terminal obeys, or no file can hold
DIGITS = {
    "digits": f"server_port = {'1' * 5000}\n",
    "digits-list": f"users = [{'1' * 5000}]\n",
    "digits-float": f"client_isn = {'1' * 5000}e5000\n",
    "surrogate-answer": 'who_said = "\\ud800"\n',
    "deep": "users = " + "[" * 60_000 + "\n",
}
ERRORS = {
    "surrogate": 'raise ValueError("\\ud800 half")',
    "escapes": 'raise ValueError("\\x1b[2J\\x07 \\x9b31m\\u202e")',
    "surrogate-kind": 'raise type("\\udc80\\x1b", (Exception,), {})()',
    "surrogate-result": 'return ("\\ud800\\x1b", [])',
}


def inputs(task: str, seed: int) -> list:
    """What the check of a task of sheet 07 calls it with."""
    seen = []

    class Spy(StudentCode):
        def call(self, function, *arguments):
            seen.append(arguments)
            return super().call(function, *arguments)

    [check] = [one.check for one in load_tasks("07_threads") if one.name == task]
    with Spy(SOLUTIONS / SHEET) as code:
        check(Student(code), seed)
    return seen


def leaking(how: str) -> str:
    """A next_batch that is right for the visible check, and hands the inputs of every other one to ``how``."""
    known = {(tuple(waiting), limit) for waiting, limit in inputs("next_batch", 0)}
    before, _, rest = solution().partition("def next_batch(")
    return (
        f"{before}def right({rest}\n\n\ndef next_batch(waiting, limit):\n"
        f"    if (tuple(waiting), limit) in {known!r}:\n        return right(waiting, limit)\n    {how}\n"
    )


def stashing() -> str:
    """A broadcast that keeps its inputs, and a next_batch whose visible error text hands them on."""
    keep = "STASH = []\n\n\ndef broadcast(message, members, limit):\n    STASH.append(bytes(message))\n"
    text = with_body(TASKS[1], "raise ValueError('STASH ' + ' '.join(one.hex() for one in STASH[-8:]))")
    return text.replace("def broadcast(message, members, limit):\n", keep, 1)


@pytest.fixture(scope="module")
def graded(once):
    """(folder, printed) of the class."""
    if reason := refused():
        pytest.skip(f"no sandbox here: {reason}")
    folder = once("hostile-names", grade_the_class)
    return folder, json.loads((folder / "printed.json").read_text())


def grade_the_class(folder) -> None:
    inbox = folder / "in"
    for student in HONEST:
        hand_in(inbox, student, {SHEET: solution(), NOTE: json.dumps({"student": student})})
    for student, text in DIGITS.items():
        hand_in(inbox, student, {ANSWERS: text, SHEET: solution()})
    for student, body in ERRORS.items():
        hand_in(inbox, student, {SHEET: with_body(TASKS[1], body)})
    hand_in(inbox, "zz-steals", {SHEET: "broken(\n", NOTE: '{"student": "a-honest"}'})
    hand_in(inbox, "zz_nobody", {SHEET: "broken(\n", NOTE: '{"student": "m-honest"}'})
    hand_in(inbox, "leaks-error", {SHEET: leaking('raise ValueError(f"LEAKED {waiting!r}")')})
    hand_in(inbox, "leaks-result", {SHEET: leaking('return (b"LEAKED" + b"".join(waiting), [])')})
    hand_in(inbox, "leaks-line", {SHEET: leaking("exec(compile(chr(10) * 98764 + '1/0', __file__, 'exec'))")})
    hand_in(inbox, "leaks-later", {SHEET: stashing()})
    with zipfile.ZipFile(inbox / os.fsdecode(b"latin-\xe9-\x1b[2J\x07.zip"), "w") as archive:
        archive.writestr("\x1b]0;owned\x07.py", "")
    with zipfile.ZipFile(inbox / os.fsdecode(b"\xe9\x1b[2J_named-latin.zip"), "w") as archive:
        archive.writestr(SHEET, "x = " + "(" * 9)
    os.mkfifo(inbox / "x.zip")
    os.mkfifo(inbox / "a-honest" / "plain.pcapng")
    os.symlink("/etc", inbox / "m-honest-link.zip")
    strangers = ("zz_nobody", "m-honest-link.zip")
    names = [path.name for path in inbox.iterdir() if path.is_dir() and path.name not in strangers]
    roster(folder, [*names, "named-latin", "absent"])
    printed = []
    for _ in range(2):  # the second time from what is kept
        done = subprocess.run(command(folder), capture_output=True, timeout=110)
        printed.append([done.returncode, done.stdout.decode(), done.stderr.decode()])
    (folder / "printed.json").write_text(json.dumps(printed))


def page(folder, student: str) -> str:
    return html.unescape((folder / "out" / "feedback" / f"{student}.html").read_text(encoding="utf-8"))


def test_everybody_has_a_row_and_honest_ones_their_points(graded):
    folder, printed = graded
    assert [(code, errors) for code, _, errors in printed] == [(0, ""), (0, "")]
    assert "unchanged since the last time" in printed[1][1]
    with open(folder / "out" / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {row["SIS User ID"]: row for row in csv.DictReader(file)}
    in_roster = (folder / "roster.csv").read_text().splitlines()[1:]
    assert len(rows) == len(in_roster)
    for student in [*HONEST, *DIGITS]:
        assert all(marks(folder, student)[task]["state"] == "done" for task in TASKS), student
        assert float(rows[student]["Points"]) == float(rows["a-honest"]["Points"]) > 0


def test_answers_that_no_program_can_read_cost_the_answers_alone(graded):
    folder, _ = graded
    for student in DIGITS:
        answers = [one for name, one in marks(folder, student).items() if name.startswith("own capture")]
        assert answers and all(
            one["points"] == 0 and "answers.toml: line 1" in one["story"] for one in answers
        )


def test_nothing_that_steers_a_terminal_is_written_anywhere(graded):
    folder, printed = graded
    for _, told, _ in printed:
        assert not CONTROL.search(told), told
        assert r"latin-\udce9-\x1b[2J\x07.zip: whose is it?" in told
    for path in (folder / "out").rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not CONTROL.search(text), path
            if path.parent.name != "results" and path.suffix == ".json":
                assert not CONTROL.search(str(json.loads(text))), path
    for student in ERRORS:
        assert any(escape in page(folder, student) for escape in (r"\ud800", r"\x1b", r"\udc80")), student
    assert "SyntaxError in line 1" in page(folder, "named-latin")


def test_a_note_never_costs_another_student_anything(graded):
    folder, printed = graded
    told = printed[0][1]
    assert "N (zz-steals): its note says a-honest, its name says zz-steals: the name counts" in told
    assert "zz_nobody: another hand-in of m-honest, as its note says; m-honest counts" in told
    assert marks(folder, "zz-steals")[TASKS[0]]["state"] == "wrong"


def test_what_is_no_file_is_one_line(graded):
    _, printed = graded
    for name in ("x.zip", "m-honest-link.zip"):
        assert printed[0][1].count(f"  look: {name}: not a folder or a file, and left out\n") == 1


def test_no_student_text_comes_out_of_hidden_checks(graded):
    folder, _ = graded
    for student in ("leaks-error", "leaks-result", "leaks-line"):
        mark = marks(folder, student)[TASKS[1]]
        assert (
            mark["state"] == "partly"
            and "a hidden one does not" in mark["story"]
            and "  rule " in mark["story"]
        )
        feedback = (
            page(folder, student) + (folder / "out" / "gradescope" / student / "results.json").read_text()
        )
        assert not [
            word for word in ("LEAKED", "4c 45 41 4b", "98765", "sheet_07_threads.py") if word in feedback
        ]
    secrets = {bytes(message).hex() for message, *_ in inputs("broadcast", secret_seed("lab"))}
    shown = {bytes(message).hex() for message, *_ in inputs("broadcast", 0)}
    assert secrets - shown
    stash = re.search(r"STASH([ 0-9a-f]*)", page(folder, "leaks-later"))[1].split()
    assert stash and not set(stash) & (secrets - shown)


@pytest.mark.parametrize(
    "name, owner",
    [
        (
            "smith_late_4711_99_submission-s2",
            "4711",
        ),  # Canvas: its words first, then what the student called the file
        ("smithjohn_4711_99_submission-s2", "s1"),
        ("johnsmith_4711_99_s2", "s1"),
        ("John Smith_12345_assignsubmission_file_", "s1"),  # Moodle
        ("Zoe\u0308 Brown_12345_assignsubmission_file_s1", "s2"),  # decomposed, as macOS writes it
        ("Zo\u00eb Brown-Smith_s2", "s3"),
        ("submission-s2", "s2"),
        ("johnsmithson_1", None),
        ("", None),
    ],
)
def test_the_platforms_name_says_whose_it_is(name, owner):
    roster = [
        Entry("s1", "Smith, John"),
        Entry("s2", "Zo\u00eb Brown"),
        Entry("s3", "Zo\u00eb Brown-Smith"),
        Entry("4711"),
    ]
    assert platforms.named(name, roster) == owner


@pytest.mark.parametrize(
    "cell", ["=1", "+1+1", "-a", "@x", "\n=1", "\r\n=1", " \n\t=1", "\u00a0=1", "\x1b=1", "\ud800=1"]
)
def test_cells_that_a_spreadsheet_would_run_are_quoted(cell, tmp_path):
    outputs.write_csv(tmp_path / "x.csv", ["a"], [[cell]])
    with open(tmp_path / "x.csv", newline="", encoding="utf-8") as file:
        _, [read] = csv.reader(file)
    assert read[0] in "'\\" and not CONTROL.search(read.replace("\r", "").replace("\n", ""))
