"""More attacks of the kinds in ``test_hostile``, for those who change the sandbox."""

import io
import json
import struct
import zipfile

import pytest

from lab.harness.student_capture import ANSWERS, PLAIN
from tests.bench.submissions_of_a_class import with_body
from tests.instructor.hand_ins import (
    HONEST,
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
)  # fmt: skip

pytestmark = [pytest.mark.maintainers]

LIBC = "import ctypes, os, signal, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
PIPES = "for n in range(3, 10):\n    try: {}\n    except OSError: pass\n"

# Each a body of next_batch, and what its feedback says.
BODIES = {
    "double-fork": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(10**6)\n    os._exit(0)\n"
        "time.sleep(10**6)",
        "Operation not permitted",
    ),
    "vfork": (
        "import subprocess\nsubprocess.Popen(['/usr/bin/sleep', '1000000'], close_fds=False)",
        "Operation not permitted",
    ),
    "threads": (
        "import threading, time\nkept = []\nwhile len(kept) < 1000:\n"
        "    kept.append(threading.Thread(target=time.sleep, args=[10**6]))\n    kept[-1].start()",
        "can't start new thread",
    ),
    "another-program": (
        "import os, sys\nfor n in range(3, 10):\n    try: os.set_inheritable(n, True)\n    except OSError: pass\n"
        "os.execv(os.path.realpath('/proc/self/exe') if os.path.exists('/proc') else sys.executable,"
        " ['python3', '-c', 'import time; time.sleep(10**6)'])",
        "",
    ),
    "duplicates-pipes": (
        "import os, time\nfor n in range(3, 10):\n    try:\n        for m in range(20, 60): os.dup2(n, m)\n"
        "    except OSError: pass\nos.closerange(0, 20)\ntime.sleep(10**6)",
        "",
    ),
    "fills-answers": (
        LIBC
        + "while True:\n    "
        + PIPES.format("os.write(n, b'x' * (1 << 20))").replace("\n", "\n    ").rstrip(),
        "larger than",
    ),
    "fills-errors": ("import os\nwhile True: os.write(2, b'x' * (1 << 20))", "printed more"),
    "stops-all": (
        LIBC + "os.kill(0, signal.SIGSTOP)\nos.kill(-1, signal.SIGSTOP)\ntime.sleep(10**6)",
        "took longer",
    ),
    "traces-the-first": (
        LIBC
        + "if libc.ptrace(16, 1, 0, 0) == 0: return None\nraise OSError(ctypes.get_errno(), 'not traced')",
        "not traced",
    ),
    "kills-the-first": (
        LIBC + "for n in range(1, 65): libc.kill(1, n)\nraise ValueError('it lives')",
        "it lives",
    ),
    "limits-the-first": (
        "import resource, time\nresource.prlimit(1, resource.RLIMIT_CPU, (0, 0))\ntime.sleep(10**6)",
        "",
    ),
    "new-namespace": (
        LIBC + "raise ValueError(f'{libc.unshare(0x10000000)} is the result')",
        "-1 is the result",
    ),
    "shared-pages": (
        "import mmap\nkept = [mmap.mmap(-1, 100 << 20) for _ in range(8)]",
        "Cannot allocate memory",
    ),
    "links": ("import os\nfor n in range(100_000): os.symlink('x' * 4000, f'/tmp/{n}')", "No space left"),
}


def zipped(files: dict) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def many_entries() -> bytes:
    """A zip of 25 MB with half a million empty files, which costs zipfile 500 MB."""
    name = SHEET.encode()
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    entries = (entry + name) * 500_000
    return entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 0, 0)


FILES = {  # made only where they are handed in: that takes seconds
    "many-entries": lambda: {"x.zip": many_entries()},
    "nested": lambda: {"x.zip": zipped({"y.zip": zipped({SHEET: bytes(64 << 20)})})},
    "many-zips": lambda: {f"{n}.zip": zipped({f"sheet_99_{n}_{m}.py": bytes(1 << 18) for m in range(10)}) for n in range(200)},
    "tiny-blocks": lambda: {PLAIN: struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20) * 1_000_000},
    "tiny-frames": lambda: {PLAIN: expensive_capture(0) + struct.pack("<IIII", 1, 1, 0, 0) * 1_250_000},
    "huge-block": lambda: {PLAIN: struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + struct.pack("<III", 6, 0xFFFFFFFC, 0)},
}  # fmt: skip


@pytest.fixture(scope="module")
def graded(once):
    """(folder, what the watcher reports) of the class."""
    if reason := refused():
        pytest.skip(f"no sandbox here: {reason}")
    folder = once("hostile-variants", grade_the_class)
    return folder, json.loads((folder / "report.json").read_text())


def grade_the_class(folder) -> None:
    for student in HONEST:
        hand_in(folder / "in", student, {SHEET: solution()})
    for student, (body, _) in BODIES.items():
        hand_in(folder / "in", student, {SHEET: with_body(TASK, body)})
    for student, make in FILES.items():
        hand_in(folder / "in", student, {ANSWERS: "server_port = 1\n", **make()})
    roster(folder, [path.name for path in (folder / "in").iterdir()])
    (folder / "report.json").write_text(json.dumps(watched(folder, command(folder))))


def test_honest_marks_are_unchanged_and_nothing_is_left(graded):
    folder, report = graded
    assert report["code"] == 0 and report["stderr"] == "", report["stderr"]
    for student in HONEST:
        found = {
            task: mark["state"] for task, mark in marks(folder, student).items() if task.startswith("07")
        }
        assert set(found.values()) == {"done"}, student
    assert report["left"] == [] and list((folder / "tmp").iterdir()) == []
    assert report["peak_mb"] < 512


@pytest.mark.parametrize("student", BODIES)
def test_hostile_code_costs_its_own_task(graded, student):
    found = marks(graded[0], student)
    assert found[TASK]["points"] == 0 and found["07_threads.broadcast"]["state"] == "done"
    assert BODIES[student][1] in " ".join(found[TASK]["story"].split()), found[TASK]["story"]


@pytest.mark.parametrize("student", FILES)
def test_files_of_every_kind_are_a_remark(graded, student):
    found = marks(graded[0], student)
    assert (student == "nested") == (not found["remarks"]) and len(found["remarks"]) <= 11, found["remarks"]
    assert not any(str(graded[0]) in remark for remark in found["remarks"])
