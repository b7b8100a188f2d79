"""Hand-ins for the grader, the command that grades them, and a watcher that finds what survives it."""

import functools
import io
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lab.instructor import sandbox
from lab.instructor.stubs import SOLUTIONS
from tests.bench.submissions_of_a_class import with_body
from tests.instructor.attacks import Attack, numbers
from tests.support import ROOT

HONEST = ["a-honest", "m-honest", "z-honest"]
TASK, SHEET = "07_threads.next_batch", "sheet_07_threads.py"
ADD_KEY, KEYCTL = numbers()["add_key"], numbers()["keyctl"]
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


REFUSING = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from lab.instructor import system_calls
numbers = map(int, sys.argv[1].split(","))
system_calls.install(system_calls.build_filter(refused={{"": {{str(one): (one, one) for one in numbers}}}}))
os.execv(sys.argv[2], sys.argv[2:])
"""
UNSHARE = 272 if platform.machine() == "x86_64" else 97


@functools.cache
def way_here() -> str | None:
    """The strongest sandbox here, or None."""
    with tempfile.TemporaryDirectory() as folder:
        return sandbox.choose(Path(folder))[0]


def refused():
    """Why there is no sandbox here, or None."""
    return None if way_here() else sandbox.report()


def refusing(calls: list[int], words: list[str]) -> list[str]:
    """A command where the kernel refuses these system calls, as in a container: by number."""
    return [sys.executable, "-c", REFUSING, ",".join(map(str, calls)), *words]


def attacking(attack: Attack, world: dict | None = None) -> str:
    """A sheet whose next_batch attacks."""
    world = world or {"numbers": numbers()}
    return with_body(TASK, "return attack(WORLD, call)") + "\n\n" + attack.sheet(world)


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


def zipped(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def hand_in(inbox, student: str, files: dict) -> None:
    (inbox / student).mkdir(parents=True)
    for name, data in files.items():
        (inbox / student / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def roster(folder, students) -> None:
    (folder / "roster.csv").write_text("Name,SIS User ID\n" + "".join(f"N,{one}\n" for one in students))


def lab(*words: object) -> list[str]:
    return [sys.executable, str(ROOT / "lab"), *map(str, words)]


def command(folder, *more: str) -> list[str]:
    options = ["--roster", folder / "roster.csv", "--out", folder / "out", "--jobs", 2]
    return lab("grade", folder / "in", *options, *more)


def run(words: list[str], cwd: Path = ROOT, timeout: float = 110) -> subprocess.CompletedProcess:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def capture(*words: object) -> subprocess.CompletedProcess:
    return run([sys.executable, str(ROOT / "lab" / "capture.py"), *map(str, words)])


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
