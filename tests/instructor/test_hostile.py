"""Hand-ins that attack the grader, graded among honest ones: their own points are lost, and nothing else.

One class for all: each hostile hand-in is a row of ``BODIES`` or a file. The command runs below ``WATCHER``, a process
that adopts every orphan (``PR_SET_CHILD_SUBREAPER``), so that whatever survives the grader is found among its
descendants.
"""

import json
import platform
import struct
import subprocess
import sys
import zipfile

import pytest

from lab.harness.student_capture import ANSWERS, PLAIN
from lab.net import namespace
from tests.bench.submissions_of_a_class import with_body
from tests.instructor.hand_ins import (
    ADD_KEY,
    HONEST,
    KEYCTL,
    SHEET,
    TASK,
    command,
    expensive_capture,
    hand_in,
    marks,
    refused,
    roster,
    solution,
    watched,
)
from tests.support import needs_namespaces

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux only")

SHMGET, MSGGET = (29, 68) if platform.machine() == "x86_64" else (194, 186)


# Each a body of next_batch, and what its feedback says.
BODIES = {
    "escapes": (
        "import ctypes, os, time\nctypes.CDLL(None).prctl(1, 0)\n"
        "try:\n    burners = [os.fork() for _ in range(2)]\n    while 0 in burners: os.setpgid(0, 0)\n"
        "except OSError: pass\n"
        "try: os.setsid()\nexcept OSError: pass\n"
        "time.sleep(10**6)",
        "took longer",
    ),
    "stops-itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "took longer"),
    "reads-keys": (
        f"import ctypes\nlibc = ctypes.CDLL(None)\n"
        f"key = libc.syscall({KEYCTL}, 10, -3, b'user', b'secret', 0)\n"
        f"planted = libc.syscall({ADD_KEY}, b'user', b'planted', b'1', 1, -3)\n"
        "raise ValueError('a key' if key > 0 else 'no key')",
        "no key",
    ),
    "shares-memory": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"shm = [libc.syscall({SHMGET}, 0, 400 << 20, 0o1600) for _ in range(4)]\n"
        f"queues = [libc.syscall({MSGGET}, 0, 0o1600) for _ in range(4)]\n"
        "raise ValueError(f'{max(shm + queues)} is the best')",
        "-1 is the best",
    ),
    "memory-files": (
        "import os\nkept = []\nwhile len(kept) < 1000:\n"
        "    kept.append(os.memfd_create('x'))\n    os.write(kept[-1], bytes(1 << 20))",
        "Operation not permitted",
    ),
    "forks-much": (
        "import os, time\nfor _ in range(8):\n"
        "    if os.fork() == 0:\n        data = bytearray(b'x' * (400 << 20))\n        time.sleep(100)\n"
        "time.sleep(100)",
        "Operation not permitted",
    ),
    "fills-inodes": (
        "n = 0\nwhile n < 100_000:\n    open(f'/tmp/{n}', 'w').close()\n    n += 1",
        "No space left",
    ),
    "long-error": (
        "import os\n"
        'data = b\'{"id": 1, "error": {"kind": "\' + b\'E\' * 10**6 + b\'", "text": "\' + b\'word \' * 500_000\n'
        'data += b\'", "line": 12345678901}}\\n\'\n'
        "for n in range(3, 10):\n    try: os.write(n, data)\n    except OSError: pass\nos._exit(0)",
        "",
    ),
}
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
    for student, (body, _) in BODIES.items():
        hand_in(folder / "in", student, {SHEET: with_body(TASK, body)})
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


@pytest.mark.parametrize("student", BODIES)
def test_hostile_code_costs_its_own_task(graded, student):
    found = marks(graded[0], student)
    assert found[TASK]["points"] == 0 and found["07_threads.broadcast"]["state"] == "done"
    assert BODIES[student][1] in " ".join(found[TASK]["story"].split()), found[TASK]["story"]


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


def test_no_process_takes_more_memory_than_it_may(graded):
    assert graded[1]["peak_mb"] < 512


def test_the_keyring_of_the_grader_is_out_of_reach(graded):
    assert graded[1]["keys"] == [True, False]


def test_a_killed_grader_leaves_no_process_and_its_folder_goes_at_the_next_start(tmp_path):
    if reason := refused():
        pytest.skip(f"no sandbox here: {reason}")
    hand_in(
        tmp_path / "in", "busy", {"sheet_06_bad_weather.py": solution("sheet_06_bad_weather.py") + AT_IMPORT}
    )
    hand_in(tmp_path / "in", "done", {SHEET: solution()})  # its worker is idle when the grader is killed
    roster(tmp_path, ["busy", "done"])
    script = f"""
import pathlib, subprocess, time
grader = subprocess.Popen({command(tmp_path)!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    assert watched(tmp_path, words)["code"] == 0
    assert list((tmp_path / "tmp").iterdir()) == []


@needs_namespaces
def test_without_namespaces_nothing_is_graded_unless_asked_for(tmp_path):
    hand_in(tmp_path / "in", "one", {SHEET: solution()})
    roster(tmp_path, ["one"])
    inside = "echo 0 > /proc/sys/user/max_user_namespaces; exec "

    def run(*more):
        words = namespace.launcher(["sh", "-c", inside + '"$0" "$@"', *command(tmp_path, *more)])
        return subprocess.run(words, capture_output=True, text=True, timeout=60)

    done = run()
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert "user namespaces are switched off" in done.stderr and "max_user_namespaces=" in done.stderr
    assert "--no-sandbox" in done.stderr and not list((tmp_path / "out").glob("**/*.*"))
    done = run("--no-sandbox")
    assert done.returncode == 0 and marks(tmp_path, "one")[TASK]["state"] == "done"
