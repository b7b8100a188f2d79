"""Hand-ins that attack the grader, graded among honest ones: their own points are lost, and nothing else.

One class for all: each hostile hand-in is an attack of the zoo or a file. The command runs below ``WATCHER``, a process
that adopts every orphan (``PR_SET_CHILD_SUBREAPER``), so that whatever survives the grader is found among its
descendants.
"""

import json
import struct
import subprocess
import sys
import zipfile

import pytest

from lab.harness.student_capture import ANSWERS, PLAIN
from lab.instructor import sandbox
from lab.net import namespace
from tests.instructor.attacks import attacks
from tests.instructor.hand_ins import (
    HONEST,
    SHEET,
    TASK,
    UNSHARE,
    attacking,
    command,
    expensive_capture,
    hand_in,
    marks,
    refused,
    refusing,
    roster,
    run,
    solution,
    watched,
    way_here,
)  # fmt: skip
from tests.support import needs_namespaces

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux only")

LANDLOCK = 444  # landlock_create_ruleset
PAGES = ("grades.csv", "class.html", "feedback/one.html")
CLASS = [
    "escape",
    "stop_itself",
    "read_key",
    "share_memory",
    "memory_files",
    "fork_much",
    "fill_inodes",
    "long_error",
]
ATTACKS = {one.student: one for one in attacks() if one.name in CLASS}
AT_IMPORT = """
import fcntl, os, time
for n in range(3, 10):
    try:
        fcntl.fcntl(n, 1031, 4096)  # F_SETPIPE_SZ
        os.write(n, b'{"ready": true}\\n')
    except OSError:
        pass
time.sleep(10**6)
"""


def bomb(kind: int) -> bytes:
    import io

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr(SHEET, bytes(100 << 20))
    data = bytearray(file.getvalue())
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 1000)  # the size that its list of files claims
    return bytes(data)


@pytest.fixture(scope="module")
def graded(once):
    """(folder, what the watcher reports) of the class."""
    if reason := refused():
        pytest.skip(f"no sandbox here: {reason}")
    folder = once("hostile-class", grade_the_class)
    return folder, json.loads((folder / "report.json").read_text())


def grade_the_class(folder) -> None:
    for student in HONEST:
        hand_in(folder / "in", student, {SHEET: solution()})
    for student, attack in ATTACKS.items():
        hand_in(folder / "in", student, {SHEET: attacking(attack)})
    late = solution("sheet_06_bad_weather.py")
    hand_in(folder / "in", "forges-ready", {"sheet_06_bad_weather.py": late + AT_IMPORT})
    hand_in(folder / "in", "lzma-bomb", {"x.zip": bomb(zipfile.ZIP_LZMA)})
    hand_in(folder / "in", "bzip2-bomb", {"x.zip": bomb(zipfile.ZIP_BZIP2)})
    hand_in(
        folder / "in",
        "bad-capture",
        {PLAIN: expensive_capture(), ANSWERS: "server_port = 1\n", SHEET: solution()},
    )
    roster(folder, [path.name for path in (folder / "in").iterdir()])
    (folder / "report.json").write_text(json.dumps(watched(folder, command(folder))))


def test_honest_marks_are_unchanged_and_the_time_is_bounded(graded):
    folder, report = graded
    assert report["code"] == 0, report["stderr"]
    for student in [*HONEST, "bad-capture"]:
        found = {
            task: mark["state"] for task, mark in marks(folder, student).items() if task.startswith("07")
        }
        assert found == {TASK: "done", "07_threads.broadcast": "done"}, student
    assert report["seconds"] < 100 and report["stderr"] == ""


def test_nothing_is_left(graded):
    folder, report = graded
    assert report["left"] == [] and list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("student", ATTACKS)
def test_hostile_code_costs_its_own_task(graded, student):
    found = marks(graded[0], student)
    assert found[TASK]["points"] == 0 and found["07_threads.broadcast"]["state"] == "done"
    story = " ".join(found[TASK]["story"].split())
    assert any(reason in story for reason in ATTACKS[student].reasons(way_here())), story


def test_a_write_into_a_full_pipe_has_a_deadline(graded):
    found = marks(graded[0], "forges-ready")
    assert all("took longer" in mark["story"] for task, mark in found.items() if task.startswith("06"))


def test_a_long_error_is_cut(graded):
    assert len(marks(graded[0], "long-error")[TASK]["story"]) < 2000
    assert (graded[0] / "out" / "feedback" / "long-error.html").stat().st_size < 100_000


@pytest.mark.parametrize("kind", ["lzma", "bzip2"])
def test_bombs_are_not_unpacked(graded, kind):
    [remark] = marks(graded[0], f"{kind}-bomb")["remarks"]
    assert SHEET in remark and "neither stored nor deflated" in remark


def test_an_expensive_capture_is_left_out(graded):
    found = marks(graded[0], "bad-capture")
    assert any(PLAIN in remark and "takes more than" in remark for remark in found["remarks"])
    assert found["own capture.server_port"]["points"] == 0


@pytest.mark.maintainers
def test_no_process_takes_more_memory_than_it_may(graded):
    assert graded[1]["peak_mb"] < 512


def test_the_keyring_of_the_grader_is_out_of_reach(graded):
    assert graded[1]["keys"] == [True, False]


@pytest.mark.parametrize("way", sandbox.WAYS)
def test_a_killed_grader_leaves_no_process_and_its_folder_goes_at_the_next_start(way, tmp_path):
    (tmp_path / "probe-here").mkdir()
    if reason := sandbox.probe(way, tmp_path / "probe-here"):
        pytest.skip(f"no sandbox of {way} here: {reason}")
    words = command(tmp_path) if way == sandbox.NAMESPACES else refusing([UNSHARE], command(tmp_path))
    hand_in(
        tmp_path / "in", "busy", {"sheet_06_bad_weather.py": solution("sheet_06_bad_weather.py") + AT_IMPORT}
    )
    hand_in(tmp_path / "in", "done", {SHEET: solution()})  # its worker is idle when the grader is killed
    roster(tmp_path, ["busy", "done"])
    script = f"""
import pathlib, subprocess, time
grader = subprocess.Popen({words!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not pathlib.Path({str(tmp_path / "out" / "results" / "done.json")!r}).exists():
    time.sleep(0.01)
grader.kill()
grader.wait()
"""
    report = watched(tmp_path, [sys.executable, "-c", script])
    assert report["left"] == [] and report["code"] == 0, report["stderr"]
    assert not (tmp_path / "out" / "results" / "busy.json").exists()
    [folder] = (tmp_path / "tmp").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "empty").mkdir()
    words = [*command(tmp_path)[:3], str(tmp_path / "empty"), *command(tmp_path)[4:]]
    assert watched(tmp_path, words)["code"] == 2, "nothing to grade"
    assert list((tmp_path / "tmp").iterdir()) == []


def graded_where(folder, calls: list[int], *more: str) -> subprocess.CompletedProcess:
    """Grade one solution where the kernel refuses these system calls."""
    if not (folder / "in").exists():
        hand_in(folder / "in", "one", {SHEET: solution()})
        roster(folder, ["one"])
    return run(refusing(calls, command(folder, *more)))


@pytest.mark.as_root
def test_without_namespaces_landlock_stands_in_and_every_page_says_so(tmp_path):
    if reason := sandbox.probe(sandbox.LANDLOCK, tmp_path):
        pytest.skip(f"no Landlock here: {reason}")
    done = graded_where(tmp_path, [UNSHARE])
    assert done.returncode == 0 and marks(tmp_path, "one")[TASK]["state"] == "done", done.stderr
    assert "namespaces: unshare: Operation not permitted" in done.stdout
    for written in (done.stdout, *(path.read_text() for path in map((tmp_path / "out").joinpath, PAGES))):
        assert "in a sandbox of Landlock (ABI " in written and "whether a known path exists" in written


@needs_namespaces
def test_without_any_sandbox_nothing_is_graded_unless_asked_for(tmp_path):
    done = graded_where(tmp_path, [UNSHARE, LANDLOCK])
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert "Landlock is not offered" in done.stderr and "--no-sandbox" in done.stderr
    assert not list((tmp_path / "out").glob("**/*.*"))
    done = graded_where(tmp_path, [UNSHARE, LANDLOCK], "--no-sandbox")
    assert done.returncode == 0 and marks(tmp_path, "one")[TASK]["state"] == "done"


@needs_namespaces
def test_the_cause_of_a_refusal_is_named_with_its_fix(tmp_path):
    """Inside, root is the only user. It cannot become another one, and needs not: outside it is an ordinary user."""
    hand_in(tmp_path / "in", "one", {SHEET: solution()})
    roster(tmp_path, ["one"])
    inside = "echo 0 > /proc/sys/user/max_user_namespaces; exec "

    def grade(words):
        words = namespace.launcher(["sh", "-c", inside + '"$0" "$@"', *words])
        return run(words)

    if not sandbox.probe(sandbox.LANDLOCK, tmp_path):
        done = grade(command(tmp_path))
        assert done.returncode == 0 and "in a sandbox of Landlock" in done.stdout, done.stderr
    done = grade(refusing([LANDLOCK], command(tmp_path)))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "user namespaces are switched off" in done.stderr and "max_user_namespaces=" in done.stderr
