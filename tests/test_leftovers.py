"""Nothing stays behind: the check that looks, what ``lab test`` does about it, and the benchmarks' servers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import leftovers
from tests.bench import servers
from tests.support import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what is left behind is read off Linux's /proc"
)
BOUND_S = 60
SLEEPER = "import subprocess; subprocess.Popen(['sleep', '4711'], start_new_session=True)"


@pytest.fixture
def kit(tmp_path):
    """A kit whose only test is the one that is written into it."""
    kit = tmp_path / "kit"
    shutil.copytree(ROOT / "lab", kit / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, kit)
    (kit / "tests").mkdir()
    return kit


def lab_test(kit, source: str, *arguments) -> subprocess.Popen:
    """``lab test`` on this one test, started: everything temporary goes into the kit's folder ``tmp``."""
    (kit / "tests" / "test_one.py").write_text(source)
    (kit / "tmp").mkdir()
    command = [sys.executable, "lab", "test", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=kit, env=environment | {"TMPDIR": str(kit / "tmp")}, **pipes)


def is_running(command: str) -> bool:
    return any(name == command for name in leftovers.snapshot(os.geteuid()).values())


def wait_for_command_line(pid: int) -> None:
    """For a moment after ``Popen`` has returned it is empty: the kernel closes the parent's pipe first."""
    deadline = time.monotonic() + BOUND_S
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline


def test_a_test_that_leaves_a_process_fails_the_run(kit):
    left = lab_test(kit, f"def test():\n    {SLEEPER}\n", "-n", "1")
    _, errors = left.communicate(timeout=BOUND_S)
    assert left.returncode == 1
    assert (
        errors.splitlines()[-1].startswith("left behind by a test, and killed now: ")
        and "sleep 4711" in errors
    )
    assert not is_running("sleep 4711") and list((kit / "tmp").iterdir()) == []


def test_a_run_that_leaves_nothing_is_green(kit):
    source = (
        "import time\ndef test(tmp_path):\n    (tmp_path / 'x').mkdir(0o500)\n    tmp_path.chmod(0o500)\n"
    )
    run = lab_test(kit, source, "-n", "0")
    output, errors = run.communicate(timeout=BOUND_S)
    assert run.returncode == 0 and "1 passed" in output and errors == "", output + errors
    assert list((kit / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGTERM, ["-n", "2"]), (signal.SIGINT, ["-n", "0"])],
    ids=["SIGTERM, workers", "SIGINT, one process"],
)
def test_an_interrupted_run_leaves_nothing(kit, number, workers):
    source = (
        "import pathlib, subprocess, time, pytest\n"
        "@pytest.fixture\n"
        "def tidy():\n    yield\n    pathlib.Path('torn-down').touch()\n"
        f"def test(tidy):\n    {SLEEPER.replace('4711', '4712')}\n    pathlib.Path('begun').touch()\n    time.sleep(1000)\n"
    )
    run = lab_test(kit, source, *workers)
    deadline = time.monotonic() + BOUND_S
    while not (kit / "begun").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(number)
    run.communicate(timeout=BOUND_S)
    assert run.returncode == 2
    assert (kit / "torn-down").exists()
    assert not is_running("sleep 4712") and list((kit / "tmp").iterdir()) == []


def test_the_check_sees_what_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers.tempfile, "tempdir", str(tmp_path))
    note = tmp_path.parent / "note"
    assert leftovers.main(["note", str(note)]) == 0
    before = leftovers.snapshot(os.geteuid())
    with subprocess.Popen(["sleep", "4713"]) as process:
        try:
            (tmp_path / "lab-left").mkdir()
            wait_for_command_line(process.pid)
            new = leftovers.since(before, os.geteuid(), grace_s=0)
            assert any(
                line.startswith(f"process {process.pid},") and line.endswith(": sleep 4713") for line in new
            )
            assert f"file {tmp_path / 'lab-left'}" in new
            assert leftovers.main(["check", str(note)]) == 1
        finally:
            process.kill()


@pytest.mark.skipif(servers.ngircd_path() is None, reason="ngircd is not installed")
def test_a_benchmarks_server_ends_with_its_turn():
    """It has a process of its own between, which once ended without it."""
    processors = os.sched_getaffinity(0)
    try:
        with servers.running("ngircd") as (_, pid):
            assert os.path.exists(f"/proc/{pid}")
    finally:
        os.sched_setaffinity(0, processors)
    assert not os.path.exists(f"/proc/{pid}")
