"""Grading end to end: a small class with hostile members, every mark as it must be; cut off and gone on with; and the
files."""

import argparse
import csv
import functools
import gzip
import html.parser
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from subprocess import PIPE

import pytest

from lab.exercises.checks.tasks import STUBS, load_tasks
from lab.harness.student_capture import ANSWERS, ATTACK, PLAIN, TLS, answers_template
from lab.harness.student_profile import profile
from lab.instructor import grading, marking, outputs, pages, sandbox, submissions
from lab.instructor.commands import grade
from lab.instructor.copies import Pair
from lab.instructor.grading import in_processes
from lab.instructor.marking import Mark, Result, mark, secret_seed
from lab.instructor.recordings import read_flows
from lab.instructor.roster import Entry
from lab.instructor.stubs import SOLUTIONS
from tests.bench import submissions_of_a_class as bench
from tests.browser import axe_findings
from tests.instructor import hand_ins


@pytest.fixture(scope="module")
def refused():
    """Why there is no sandbox here, or None."""
    return hand_ins.refused()


@pytest.fixture(scope="module", params=[5, pytest.param(15, marks=pytest.mark.maintainers)])
def graded(request, tmp_path_factory, refused):
    """(folder, expected, what the command printed) of a small class."""
    if refused:
        pytest.skip(f"no sandbox here: {refused}")
    folder = tmp_path_factory.mktemp("class")
    roster, expected = bench.make(folder, request.param)
    done = bench.grade(folder, roster, timeout=110)
    assert done.returncode == 0, done.stderr
    return folder, roster, expected, done.stdout


def test_every_mark_is_what_it_must_be(graded):
    folder, _, expected, _ = graded
    assert bench.faults(folder, expected) == []


@pytest.mark.as_root
def test_hostile_code_costs_its_own_task_alone(tmp_path, refused):
    """Every third piece of hostile code (the bench has all); its sheet alone is handed in, the other tasks of it
    count."""
    if refused:
        pytest.skip(f"no sandbox here: {refused}")
    tmp_path.chmod(0o755)
    for name, task, body, word in bench.HOSTILE[::3]:
        sheet, function = task.split(".")
        shutil.rmtree(tmp_path / "one", ignore_errors=True)
        (tmp_path / "one" / "sheets").mkdir(parents=True)
        path = tmp_path / "one" / "sheets" / f"sheet_{sheet}.py"
        path.write_text(bench.with_body(task, body), encoding="utf-8")
        marks = mark("s1", tmp_path / "one", "k", hand_ins.way_here()).marks
        by_task = {one.task: one for one in marks if one.sheet == sheet}
        attacked = by_task.pop(function)
        assert attacked.points == 0 and attacked.story, name
        assert word.replace("&lt;", "<").replace("&gt;", ">") in attacked.story, (name, attacked.story)
        assert all(one.state == "done" for one in by_task.values()), name


def test_grades_for_spreadsheets_and_platforms(graded):
    folder, _, expected, printed = graded
    lines = (folder / "out" / "grades.csv").read_text(encoding="utf-8").splitlines()
    rows = {row["SIS User ID"]: row for row in csv.DictReader(lines)}
    assert set(rows) == set(expected) | {"s9999"}
    assert rows["s9999"]["Grade"] == "0.0" and rows["s9999"]["Feedback comments"] == "nothing was handed in"
    assert float(rows["s0000"]["Grade"]) > float(rows["s0002"]["Grade"]) > float(rows["s0003"]["Grade"]) == 0
    for column in ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ID number", "Email address"):
        assert column in rows["s0000"]
    canvas, moodle = ((folder / "out" / f"{name}.csv").read_text("utf-8") for name in ("canvas", "moodle"))
    assert canvas.startswith("Student,ID,SIS User ID,SIS Login ID,Section,") and moodle.startswith(
        "ID number,"
    )
    assert f"{len(expected)} graded, 1 on the roster handed in nothing" in printed
    told = json.loads((folder / "out" / "gradescope" / "s0001" / "results.json").read_text())
    assert told["score"] == pytest.approx(sum(test["score"] for test in told["tests"]))
    assert all(test["score"] <= test["max_score"] and test["name"] for test in told["tests"])


class Reader(html.parser.HTMLParser):
    """Collects what a page would fetch or run, and whether its elements close."""

    def __init__(self):
        super().__init__()
        self.fetched, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.fetched += [
            value for name, value in attributes if name in ("src", "href", "onclick", "onload") and value
        ]
        if tag == "script":
            self.fetched.append("script")
        if tag not in ("meta", "br", "th"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def test_pages_stand_alone_and_close_what_they_open(graded):
    folder = graded[0]
    for path in [*(folder / "out").glob("*.html"), *(folder / "out" / "feedback").glob("*.html")]:
        reader = Reader()
        reader.feed(path.read_text(encoding="utf-8"))
        links = [link for link in reader.fetched if link != "similar.html"]
        assert not reader.open and all(link.startswith("feedback/") for link in links), path
    text = (folder / "out" / "class.html").read_text(encoding="utf-8")
    assert "an exception" in text or "a wrong result" in text
    assert 'href="similar.html"' in text  # the bench hands in the solution several times
    similar = (folder / "out" / "similar.html").read_text(encoding="utf-8")
    assert (
        "<h2>Student 0 (s0000) and Student 1 (s0001)</h2>" in similar
        and "Similar does not mean copied" in similar
    )


@pytest.mark.maintainers
@pytest.mark.parametrize("graded", [5], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(graded, tab, scheme):
    out = graded[0] / "out"
    tab.emulate_media(color_scheme=scheme)
    for page in (out / "class.html", out / "feedback" / "s0001.html"):
        tab.goto(page.as_uri())
        assert axe_findings(tab) == [], page.name


def test_what_has_not_changed_is_not_run_again(graded):
    folder, roster, expected, _ = graded
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "out" / "results").glob("*.json")}
    place = next(path for path in sorted((folder / "in").iterdir()) if path.is_dir())
    (place / "exercises" / "sheet_07_threads.py").write_text("broken(\n")
    done = bench.grade(folder, roster, timeout=110)
    assert f"{len(expected) - 1} of {len(expected)}  unchanged since the last time" in done.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "out" / "results").glob("*.json")}
    assert {name for name in before if before[name] != after[name]} == {
        place.name.removeprefix("submission-") + ".json"
    }


@pytest.mark.maintainers
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_cut_off_and_gone_on_with(tmp_path, refused, how):
    if refused:
        pytest.skip(f"no sandbox here: {refused}")
    roster, expected = bench.make(tmp_path, 4)
    words = hand_ins.lab("grade", tmp_path / "in", "--roster", roster, "--out", tmp_path / "out", "--jobs", 1)
    process = subprocess.Popen(words, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True)
    for line in process.stdout:
        if line.startswith("[") and " 0 of 4" not in line:
            os.killpg(process.pid, how)
    said = process.communicate()[1]
    kept = len(list((tmp_path / "out" / "results").glob("*.json")))
    if how == signal.SIGINT:
        assert process.returncode == 130 and f"{kept} of 4 results are kept in {tmp_path / 'out'}" in said
    assert 1 <= kept < 4
    done = bench.grade(tmp_path, roster, timeout=110)
    assert f"[{'#' * (30 * kept // 4)}" in done.stdout and "unchanged since the last time" in done.stdout
    assert bench.faults(tmp_path, expected) == []


def test_hard_wired_answers_get_half(tmp_path, refused):
    """Whoever answers the visible check's inputs from a table passes that one, and none with other seeds."""
    (tmp_path / "sheets").mkdir()
    tmp_path.chmod(0o755)
    table = {}

    class Spy:
        def expect(self, function, waiting, limit, *, right, **_):
            table[tuple(waiting), limit] = right

    [check] = [task.check for task in load_tasks("07_threads") if task.name == "next_batch"]
    check(Spy(), 0)
    text = (SOLUTIONS / "sheet_07_threads.py").read_text(encoding="utf-8")
    code = text.replace('    batch = b""\n', f"    return {table!r}[tuple(waiting), limit]\n")
    assert code != text
    (tmp_path / "sheets" / "sheet_07_threads.py").write_text(code, encoding="utf-8")
    marks = {
        one.task: one
        for one in mark("s1", tmp_path, "k", hand_ins.way_here() or sandbox.LIMITS).marks
        if one.sheet == "07_threads"
    }
    assert marks["broadcast"].state == "done"
    assert marks["next_batch"].state == "partly" and marks["next_batch"].points == marks["next_batch"].of / 2
    assert "a hidden one does not" in marks["next_batch"].story
    assert secret_seed("k") == secret_seed("k") != secret_seed("l")


@pytest.mark.as_root
@pytest.mark.maintainers
def test_without_a_sandbox_there_is_a_warning_and_limits_hold(tmp_path):
    roster, expected = bench.make(tmp_path, 2)
    done = bench.grade(tmp_path, roster, "--no-sandbox", timeout=110)
    assert done.returncode == 0 and "without a sandbox" in done.stdout
    assert bench.faults(tmp_path, expected) == []


@pytest.fixture(scope="module")
def own(a_class):
    return a_class / "class" / "s1"


def test_answers_are_held_against_the_own_recording(own, tmp_path):
    from lab.instructor import answer_key

    one = profile("s1", "k")
    right = answer_key.derive(*(read_flows(own / name) for name in (PLAIN, TLS)), one)
    for name in (PLAIN, TLS):
        shutil.copy(own / name, tmp_path)
    lines = [
        f"{key} = {json.dumps(values[0], ensure_ascii=False)}"
        for key, values in right.items()
        if key != "users"
    ]
    (tmp_path / ANSWERS).write_text(
        "\n".join(lines).replace("who_said = ", "who_said = 'nobody' # "), encoding="utf-8"
    )
    states = {
        one.task: one.state
        for one in mark("s1", tmp_path, "k", sandbox.LIMITS).marks
        if one.sheet == "own capture"
    }
    assert states.pop("users") == "not attempted" and states.pop("who_said") == "wrong"
    assert set(states.values()) == {"done"}
    wrong = next(one for one in mark("s1", tmp_path, "k", sandbox.LIMITS).marks if one.task == "who_said")
    assert right["who_said"][0] not in wrong.story
    somebody_else = mark("s2", tmp_path, "k", sandbox.LIMITS)
    assert sum(one.points for one in somebody_else.marks) == 0
    assert any("not the recording of s2" in remark for remark in somebody_else.remarks)
    (tmp_path / PLAIN).write_bytes(gzip.compress((own / PLAIN).read_bytes()))
    assert any("gzip" in remark for remark in mark("s1", tmp_path, "k", sandbox.LIMITS).remarks)
    (tmp_path / PLAIN).write_bytes(b"rubbish")
    assert sum(one.points for one in mark("s1", tmp_path, "k", sandbox.LIMITS).marks) == 0
    (tmp_path / ANSWERS).write_text("a = [1, 2\n")
    (tmp_path / "sheets" / "sheet_04_byte_stream.py").write_text("def broken(:\n    pass\n")
    result = mark("s1", tmp_path, "k", sandbox.LIMITS)
    assert all("line 1" in one.story for one in result.marks if one.sheet == "own capture")
    assert any(remark.startswith(f"{ANSWERS}: line 1") for remark in result.remarks)
    assert "sheet_04_byte_stream.py cannot be loaded" in result.remarks
    broken = [one for one in result.marks if one.sheet == "04_byte_stream"]
    assert {one.why for one in broken} == {"load"} and all(one.story.count("line 1") == 1 for one in broken)
    (tmp_path / ANSWERS).write_text(answers_template(one), encoding="utf-8")
    states = {
        one.state for one in mark("s1", tmp_path, "k", sandbox.LIMITS).marks if one.sheet == "own capture"
    }
    assert states <= {"wrong", "not attempted", "missing"}


@pytest.fixture
def wrong_course(own, tmp_path):
    """The roster of a class that hands in, beside nothing, s1's recording three times."""
    for student in ("s1", "s2", "s4"):
        hand_ins.hand_in(tmp_path / "in", student, {name: (own / name).read_bytes() for name in (PLAIN, TLS)})
    (tmp_path / "in" / "s3").mkdir()
    hand_ins.roster(tmp_path, ["s1", "s2", "s3", "s4"])
    return tmp_path / "roster.csv"


def test_a_wrong_course_stops_before_grades_are_written(wrong_course, tmp_path):
    roster = wrong_course
    done = bench.grade(tmp_path, roster, "--no-sandbox", "--course", "another", timeout=110)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "0 of 3 recordings fit the course 'another': use --course KEY" in done.stderr
    assert "the IDs as at recording (here 's1', ...)" in done.stderr
    assert not (tmp_path / "out").exists(), "nothing is graded, and no result of another key replaced"
    done = bench.grade(tmp_path, roster, "--no-sandbox", "--course", "k", timeout=110)
    assert done.returncode == 2 and "1 of 3 recordings fit the course 'k'" in done.stderr
    shutil.rmtree(tmp_path / "in" / "s4")
    done = bench.grade(tmp_path, roster, "--no-sandbox", "--course", "k", timeout=110)  # one fits: s1's own
    assert done.returncode == 0 and "N (s2): plain.pcapng is not the recording of s2" in done.stdout, (
        done.stderr
    )


def test_a_folder_that_cannot_be_written_is_refused(wrong_course, tmp_path):
    options = ["--no-sandbox", "--any-course", "--out", wrong_course / "out"]
    done = bench.grade(tmp_path, wrong_course, *options, timeout=110)
    assert done.returncode == 2 and done.stderr.startswith(
        f"lab grade: cannot write into {wrong_course}/out: "
    )
    assert done.stderr.endswith("; choose another --out\n") and done.stderr.count("\n") == 1


@pytest.mark.maintainers
def test_any_course_is_graded_if_asked_for_and_again_with_the_same_pages(wrong_course, tmp_path):
    pages = []
    for _ in range(2):
        more = ("--no-sandbox", "--course", "another", "--any-course", "--again")
        done = bench.grade(tmp_path, wrong_course, *more, timeout=110)
        assert done.returncode == 0 and (tmp_path / "out" / "grades.csv").exists(), done.stderr
        pages.append([path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.html"))])
    assert pages[0] == pages[1] and b"initial sequence numbers" in b"".join(pages[0])


def test_submit_then_grade(own, tmp_path):
    """What ``lab submit`` packs is what ``lab grade`` reads."""
    done = hand_ins.run(
        hand_ins.lab("submit", "--student", "S1", "--captures", own, "--out", "mine.zip"), tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "not attempted in it: parse_ethernet" in done.stdout and "there     plain.pcapng" in done.stdout
    assert "answers.toml, 0 answered" in done.stdout and "MISSING" not in done.stdout
    assert done.stdout.endswith("Hand in this one file.\n")
    found, problems = submissions.find(tmp_path, [Entry("s1")])
    assert problems == [] and [one.id for one in found] == ["s1"]
    assert {PLAIN, TLS, ANSWERS, "submission.json", "sheet_02_handshake.py"} <= set(found[0].files)
    assert found[0].files["sheet_02_handshake.py"] == (STUBS / "sheet_02_handshake.py").read_bytes()


def test_submit_says_what_is_missing_and_refuses_in_one_line(tmp_path):
    command = hand_ins.lab("submit", "--student", "s2", "--captures", tmp_path)
    done = hand_ins.run(command, tmp_path)
    assert done.returncode == 0 and done.stdout.count("MISSING") == 3
    assert "Not complete (3 files missing): " in done.stdout and "Hand in" not in done.stdout
    (tmp_path / ANSWERS).write_text('student = "s3"\nserver_port = 5\n')
    done = hand_ins.run(command, tmp_path)
    assert "WRONG     answers.toml belongs to s3" in done.stdout
    done = hand_ins.run([*command, "--student", "../s2"], tmp_path)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def zipped(path, files: dict):
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_no_task_begins_after_the_time_of_a_hand_in(tmp_path, monkeypatch):
    (tmp_path / "sheets").mkdir()
    sheet = "import time\ntime.sleep(0.5)\n" + hand_ins.solution()
    (tmp_path / "sheets" / hand_ins.SHEET).write_text(sheet)
    monkeypatch.setattr(marking, "HAND_IN_S", 0.3)
    result = mark("s1", tmp_path, "k", sandbox.LIMITS)
    first, second = [(one.state, one.why) for one in result.marks if one.sheet == "07_threads"]
    assert first == ("partly", "time") and second == ("wrong", "time")
    [story] = {one.story for one in result.marks if one.state == "wrong"}
    assert story == "all tasks together took longer than they may"


def test_zips_of_every_kind(tmp_path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    sheet = "sheet_07_threads.py"
    zipped(inbox / "smith_late_4711_s1.zip", {"deep/er/" + sheet: "a = 1"})
    zipped(
        inbox / "evil-s2.zip", {"../../" + sheet: "b = 2", "/etc/" + ANSWERS: "x = 1", "C:\\x\\" + sheet: "c"}
    )
    zipped(inbox / "bomb-s3.zip", {sheet: b"0" * (200 << 20)})
    (inbox / "not-a-zip-s4.zip").write_bytes(b"PK\x03\x04 rubbish")
    zipped(inbox / "unknown.zip", {sheet: "d = 4"})
    nested = inbox / "Student Five_12345_assignsubmission_file_"
    nested.mkdir()
    zipped(
        nested / "submission-s5.zip",
        {"submission/" + sheet: "e = 5", "submission/submission.json": '{"student": "s5"}'},
    )
    os.symlink("/etc/passwd", nested / ANSWERS)
    zipped(inbox / "zz-s1.zip", {sheet: "again = 1"})
    found, problems = submissions.find(inbox, [Entry(f"s{n}") for n in range(1, 7)])
    by_id = {one.id: one for one in found}
    assert set(by_id) == {"s1", "s2", "s3", "s4", "s5"}
    assert by_id["s1"].files == {sheet: b"again = 1"} and any("zz-s1" in problem for problem in problems)
    assert by_id["s2"].files[sheet] == b"b = 2"
    assert by_id["s3"].files == {} and "too large" in by_id["s3"].remarks[0]
    assert by_id["s4"].files == {} and by_id["s4"].remarks
    assert by_id["s5"].files[sheet] == b"e = 5" and ANSWERS not in by_id["s5"].files
    assert any("unknown.zip" in problem for problem in problems)
    by_id["s2"].unpack(tmp_path / "out")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file() and "out" in path.parts} == {
        sheet,
        ANSWERS,
    }


def test_what_is_not_kept_of_a_zip_takes_no_time(tmp_path):
    files = {PLAIN: bytes(20 << 20), TLS: bytes(20 << 20)}
    zipped(tmp_path / "s1.zip", files | {f"{n}/{ATTACK}": bytes(20 << 20) for n in range(20)})
    started_s = time.process_time()
    submission = submissions.read(tmp_path / "s1.zip")
    assert time.process_time() - started_s < 0.5
    assert set(submission.files) == {PLAIN, TLS}
    assert submission.remarks[0] == f"{ATTACK} was left out: more than 48 MB altogether"


def test_a_damaged_file_counts_against_what_is_read_of_a_hand_in(tmp_path):
    for number in range(4):
        path = tmp_path / "s1" / f"{number}.zip"
        path.parent.mkdir(exist_ok=True)
        zipped(path, {PLAIN: bytes(20 << 20)})
        data = bytearray(path.read_bytes())
        data[data.index(b"PK\1\2") + 16] ^= 1  # its checksum
        path.write_bytes(data)
    remarks = submissions.read(tmp_path / "s1").remarks
    assert ["cannot be opened" in remark for remark in remarks] == [True, True, False, False]
    assert remarks[3] == f"{PLAIN} was left out: more than 48 MB altogether"


def test_many_zips_with_nothing_but_folders_are_not_all_opened(tmp_path):
    """Each cost 0.1 s, and a few kB to upload where the platform unpacks the zip around them."""
    folder = b"PK\1\2" + bytes(24) + b"\1" + bytes(17) + b"/"  # an entry of the list of files
    sizes = struct.pack("<HHLLH", 20_000, 20_000, 20_000 * len(folder), 0, 0)
    for number in range(60):
        (tmp_path / f"{number}.zip").write_bytes(folder * 20_000 + b"PK\5\6" + bytes(4) + sizes)
    started_s = time.process_time()
    assert "more than 2000 files; the others were not read" in submissions.read(tmp_path).remarks
    assert time.process_time() - started_s < 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no path may be as long elsewhere")
def test_folders_that_are_too_deep_for_python_cost_only_themselves(tmp_path):
    """As a platform unpacks them from a zip of a few kB. They ended the grader: RecursionError."""
    deep = tmp_path / "s1"
    for _ in range(3):
        inner = deep
        deep = tmp_path / "outer"
        deep.joinpath(*["d"] * 400).mkdir(parents=True)
        if inner.exists():
            inner.rename(deep.joinpath(*["d"] * 400, "d"))
        deep = deep.rename(tmp_path / "s1")
    (deep / ANSWERS).write_text("a = 1")
    (tmp_path / "s2").mkdir()
    try:
        found, notes = submissions.find(tmp_path, [Entry("s1"), Entry("s2")])
    finally:
        subprocess.run(["rm", "-rf", str(deep)], check=True)  # shutil.rmtree cannot
    assert [one.id for one in found] == ["s1", "s2"] and found[0].files == {ANSWERS: b"a = 1"} and not notes


def test_deep_folders_take_no_time_and_links_to_folders_are_not_followed(tmp_path):
    sheet = "sheet_07_threads.py"
    deep = (tmp_path / "s1").joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / sheet).write_text("a = 1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "sheet_06_bad_weather.py").write_text("b = 2")
    (tmp_path / "s1" / "link").symlink_to(tmp_path / "elsewhere")
    started_s = time.process_time()
    assert submissions.read(tmp_path / "s1").files == {sheet: b"a = 1"}
    assert time.process_time() - started_s < 1


def test_a_long_name_in_a_zip_takes_no_time(tmp_path):
    zipped(tmp_path / "s1.zip", {"sheet.py-" * 800 + "\n\n": ""})
    started_s = time.process_time()
    submissions.read(tmp_path / "s1.zip")
    assert time.process_time() - started_s < 1


def test_names_cannot_become_formulas_or_markup(tmp_path):
    entry = Entry("s1", '=HYPERLINK("x")', "@e")
    result = Result(
        "s1", "f", [Mark("02", "<b>", "wrong", 0, 2, "result", "<img src=x onerror=alert(1)>")], ["<script>"]
    )
    outputs.write_grades(tmp_path, [entry], {"s1": result}, [Pair("s1", "s2", {"isn": 4}, 1.0)])
    assert outputs.safe("") == "" and outputs.safe("-3.5") == "-3.5" and outputs.safe("@x") == "'@x"
    row = next(csv.DictReader((tmp_path / "grades.csv").read_text(encoding="utf-8").splitlines()))
    assert row["Student"].startswith("'=") and row["Same recording as"] == "s2"
    page = pages.student_page(entry, result) + pages.class_page([entry], {"s1": result}, [], [], ["<script>"])
    assert "<script" not in page and "<img" not in page and "<b>" not in page


def test_late_days_without_a_due_date_are_noted(tmp_path):
    hand_ins.hand_in(tmp_path / "in", "s1", {"answers.toml": ""})
    hand_ins.roster(tmp_path, ["s1"])
    (tmp_path / "course.toml").write_text("percent_a_day = 10")
    rules = ["--rules", tmp_path / "course.toml"]
    done = bench.grade(tmp_path, tmp_path / "roster.csv", "--no-sandbox", *rules, timeout=60)
    assert "look: nobody is late: course.toml has no due date" in done.stdout, done.stderr


def test_an_inbox_with_nothing_to_grade_writes_nothing(tmp_path):
    """Zeros for a whole class would be in its platform before anyone looks."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "s1.rar").write_bytes(b"Rar!")
    hand_ins.roster(tmp_path, ["s1"])
    done = bench.grade(tmp_path, tmp_path / "roster.csv", "--no-sandbox", timeout=60)
    assert done.returncode == 2 and done.stderr == (
        f"lab grade: nothing to grade in {tmp_path / 'in'}; the IDs of {tmp_path / 'roster.csv'} are like 's1'\n"
    )
    assert "look: s1.rar: not a zip or a folder, and left out" in done.stdout
    assert not (tmp_path / "out").exists()


def test_what_is_written_into_the_inbox_is_not_a_hand_in(tmp_path):
    """As without --out, in the folder of the hand-ins."""
    inbox = tmp_path / "in"
    hand_ins.hand_in(inbox, "s1", {"answers.toml": ""})
    hand_ins.roster(tmp_path, ["s1", "s2"])
    words = hand_ins.lab("grade", ".", "--roster", "../roster.csv", "--no-sandbox")
    first, second = (hand_ins.run(words, inbox) for _ in range(2))
    assert first.returncode == 0 and (inbox / "grades" / "grades.csv").exists(), first.stderr
    assert "look: grades" not in second.stdout and "1 graded" in second.stdout, second.stdout


def test_an_unknown_option_is_named_before_a_missing_one(tmp_path, capsys):
    for words, fault in (
        (["--rooster", "x"], "unrecognized arguments: --rooster x"),
        ([], "--roster CSV is required"),
    ):
        with pytest.raises(SystemExit) as ended:
            grade.main([str(tmp_path), *words])
        assert ended.value.code == 2 and fault in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nowhere", "--roster", "r.csv"], [".", "--roster", "none.csv"]])
def test_the_command_refuses_in_one_line(tmp_path, words):
    (tmp_path / "r.csv").write_text("id\na\n")
    done = hand_ins.run(hand_ins.lab("grade", *words), tmp_path)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def test_nothing_is_left_running(graded):
    """After a grading with fork bombs in it, no process of the runner's is there any more."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        mine = [line for line in listed.splitlines() if str(graded[0]) in line or grading.WORK in line]
        if not mine:
            return
        time.sleep(0.1)
    raise AssertionError(mine)


def test_what_a_full_disk_has_cost_is_graded_the_next_time(tmp_path):
    (tmp_path / "full").write_text("")  # in the place of the folder to unpack into
    (tmp_path / "free").mkdir()
    options = argparse.Namespace(out=tmp_path / "out", course="k", no_sandbox=True, again=False, jobs=1)
    grading.make_results(options.out)
    found = [submissions.Submission("s1", tmp_path)]
    told = []
    for work in ("full", "free"):
        grade_there = functools.partial(grading.grade_here, tmp_path / work, sandbox.LIMITS)
        told.append(grading.mark_all(found, options, grade_there)["s1"])
    assert "NotADirectoryError" in told[0].remarks[0] and told[1].marks and not told[1].remarks


class Deadly:
    """Ends the process that unpickles it, as one that the system kills for its memory ends."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.as_root
def test_a_worker_that_dies_costs_its_own_submission_alone(tmp_path):
    handed_in = [submissions.Submission(name, tmp_path) for name in ("s1", "s2", "s3")]
    handed_in[1].remarks.append(Deadly())
    jobs = [(tmp_path, one, "k", sandbox.LIMITS, "f") for one in handed_in]
    results = {result.id: result for result in in_processes(jobs, 2)}
    assert set(results) == {"s1", "s2", "s3"}
    assert "look at it by hand" in results["s2"].remarks[0]
    assert not results["s1"].remarks and len(results["s1"].marks) == len(results["s3"].marks) > 17
    assert not [*tmp_path.iterdir()], "nothing that was unpacked is left"


@pytest.mark.maintainers
def test_marks_do_not_depend_on_who_was_graded_before(tmp_path, refused):
    """What one student's check asked is sent to the next ahead of its turn, and every story stays the same."""
    if refused:
        pytest.skip(f"no sandbox here: {refused}")
    tmp_path.chmod(0o755)
    right = {path.name: path.read_text(encoding="utf-8") for path in SOLUTIONS.glob("sheet_*.py")}
    wrong = {name: text.replace("return ", "return 7 or ", 3) for name, text in right.items()}
    found = []
    for number, files in enumerate((wrong, right, wrong)):
        folder = tmp_path / str(number)
        (folder / "sheets").mkdir(parents=True)
        for name, text in files.items():
            (folder / "sheets" / name).write_text(text, encoding="utf-8")
        found.append(mark("s1", folder, "k", hand_ins.way_here()).marks)
    assert found[0] == found[2] != found[1] and {one.state for one in found[0]} > {"done", "wrong"}
