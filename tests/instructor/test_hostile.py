"""Hand-ins that attack the grader, graded among honest ones: their own points are lost, and nothing else.

One class for all: each hostile hand-in is a row of ``BODIES`` or a file. The command runs below ``WATCHER``, a process
that adopts every orphan (``PR_SET_CHILD_SUBREAPER``), so that whatever survives the grader is found among its
descendants.
"""

import json
import os
import platform
import struct
import subprocess
import sys
import zipfile

import pytest

from lab.checking.child import RUNNER
from lab.harness.student_capture import ANSWERS, PLAIN
from lab.instructor import sandbox
from lab.instructor.stubs import SOLUTIONS
from lab.net import namespace
from tests.bench.submissions_of_a_class import with_body
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux only")

HONEST = ["a-honest", "m-honest", "z-honest"]
TASK, SHEET = "07_threads.next_batch", "sheet_07_threads.py"
ADD_KEY, KEYCTL = (248, 250) if platform.machine() == "x86_64" else (217, 219)
SHMGET, MSGGET = (29, 68) if platform.machine() == "x86_64" else (194, 186)

WATCHER = f"""
import ctypes, json, os, resource, subprocess, sys, time
libc = ctypes.CDLL(None)
libc.prctl(36, 1)
libc.syscall({KEYCTL}, 1, b"graders")
libc.syscall({ADD_KEY}, b"user", b"secret", b"42", 2, -3)
started = time.monotonic()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
seconds, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10

def below(pid):
    children = []
    try:
        for task in os.listdir(f"/proc/{{pid}}/task"):
            children += open(f"/proc/{{pid}}/task/{{task}}/children").read().split()
    except OSError:
        pass
    return children + [one for child in children for one in below(child)]

def name(pid):
    try:
        return open(f"/proc/{{pid}}/cmdline").read().replace(chr(0), " ")
    except OSError:
        return ""

deadline = time.monotonic() + 3
while (left := [n for n in map(name, below(os.getpid())) if n]) and time.monotonic() < deadline:
    time.sleep(0.02)
found = [libc.syscall({KEYCTL}, 10, -3, b"user", key, 0) > 0 for key in (b"secret", b"planted")]
print(json.dumps([done.returncode, done.stdout, done.stderr, seconds, peak, left, found]))
for pid in below(os.getpid()):
    os.kill(int(pid), 9)
"""

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


def refused():
    """Why there is no sandbox here, or None."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        return sandbox.refusal(RUNNER, Path(folder))


def solution(name: str = SHEET) -> str:
    return (SOLUTIONS / name).read_text(encoding="utf-8")


def expensive_capture(frames: int = 50_000) -> bytes:
    """A pcap file of empty TLS records: 57 in each frame, which cost a hundred times their size in memory."""
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    payload = b"\x17\x03\x03\0\0" * 57
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0, b"\n\0\0\1", b"\n\0\0\2"
    )
    for number in range(frames):
        tcp = struct.pack(">HHIIBBHHH", 40000, 9898, 1000 + number * len(payload), 1, 0x50, 0x18, 500, 0, 0)
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp + payload
        packets.append(struct.pack("<IIII", 1_700_000_000, number, len(frame), len(frame)) + frame)
    return b"".join(packets)


def hand_in(inbox, student: str, files: dict) -> None:
    (inbox / student).mkdir(parents=True)
    for name, data in files.items():
        (inbox / student / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def roster(folder, students) -> None:
    (folder / "roster.csv").write_text("Name,SIS User ID\n" + "".join(f"N,{one}\n" for one in students))


def command(folder, *more: str) -> list[str]:
    words = [
        str(folder / "in"),
        "--roster",
        str(folder / "roster.csv"),
        "--out",
        str(folder / "out"),
        "--jobs",
        "2",
    ]
    return [sys.executable, str(ROOT / "lab"), "grade", *words, *more]


def watched(folder, words: list[str]) -> dict:
    """Run a command below WATCHER with a temporary folder of its own."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, *words], capture_output=True, text=True, env=environment, timeout=110
    )
    assert done.stdout, done.stderr
    names = ("code", "stdout", "stderr", "seconds", "peak_mb", "left", "keys")
    return dict(zip(names, json.loads(done.stdout), strict=True))


def marks(folder, student: str) -> dict:
    told = json.loads((folder / "out" / "results" / f"{student}.json").read_text())
    return {f"{mark['sheet']}.{mark['task']}": mark for mark in told["marks"]} | {"remarks": told["remarks"]}


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


def test_without_namespaces_nothing_is_graded_unless_asked_for(tmp_path):
    if reason := namespace.refusal():
        pytest.skip(reason)
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
