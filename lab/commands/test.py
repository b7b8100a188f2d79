"""``python3 lab test``: run the kit's tests with pytest, a worker for each processor and one more.

Other arguments go to pytest.

    lab test ──> pytest ──> a worker, a worker ... ──> servers, screens, namespaces
     (waits, cleans up)      (pytest-xdist)

Nothing stays behind, however the run ends. Everything temporary is in one folder, which is removed. On Linux this process
adopts the processes that the tests leave without a parent (``PR_SET_CHILD_SUBREAPER``), so that it finds each one at the
end and kills it. After a whole run such a process is a test's fault, and the run has failed.

``python3 lab test --lint`` runs the linters instead: the formatting, ruff's rules, and the types.
"""

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab.commands import refuse
from lab.setup import install
from lab.setup.paths import ROOT

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 5  # for processes that are about to end
INTERRUPTED = 2  # pytest's exit code for it
AT_THE_TERMINAL = ("--pdb", "--trace", "-s", "--capture=no")  # a person watches and types
LINTERS = ("ruff format --check", "ruff check", "mypy")
BROWSER_PACKAGES = ROOT / "lab" / "setup" / "tests.txt"
PINNED = ROOT / "lab" / "setup" / "maintainers.txt"
NO_WORKERS = (*AT_THE_TERMINAL, "-n", "--numprocesses", "--collect-only", "--co", "--version", "-h", "--help")


def main(argv: list[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--lint"]:
        return lint()
    if absent := [one for one in arguments if is_absent_test(one)]:
        return refuse("test", f"no such test file: {', '.join(absent)}")
    _install_browser_packages()
    names_a_file = any(Path(one.split("::")[0]).exists() for one in arguments if not one.startswith("-"))
    temporary = tempfile.mkdtemp(prefix="lab-test-")
    settings = ["--rootdir", str(ROOT), "--config-file", str(ROOT / "pyproject.toml")]
    settings += [f"--basetemp={temporary}/t", *_workers(arguments)]
    command = [sys.executable, "-m", "pytest", *settings, *arguments]
    environ = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile the kit anew
    own_session = not any(one.startswith(AT_THE_TERMINAL) for one in arguments)
    try:
        return _run(command, own_session, cwd=None if names_a_file else ROOT, env=environ)
    finally:
        _remove(temporary)


def is_absent_test(word: str) -> bool:
    """Return whether an argument names a test file that is neither below the current folder nor in the kit."""
    name = word.split("::")[0]
    is_file = name.endswith(".py") and not name.startswith("-")
    return is_file and not Path(name).exists() and not (ROOT / name).exists()


def lint() -> int:
    """Run every linter on the whole kit; return 0 if none has found anything."""
    if not all(importlib.util.find_spec(words.split()[0]) for words in LINTERS):
        pip = "uv pip install" if install.uv() else f"{sys.executable} -m pip install"
        python = f" --python {sys.executable}" if install.uv() else ""
        return refuse("test", f"the linters are not installed: {pip}{python} -r {PINNED}")
    codes = []
    for words in LINTERS:
        print(f"== {words}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", *words.split()], cwd=ROOT).returncode)
    return max(map(abs, codes))


def _install_browser_packages() -> None:
    """Install what the tests in a browser need, if this copy has such tests; without it they are skipped."""
    if not (ROOT / "tests" / "explorer").is_dir() or importlib.util.find_spec("playwright"):
        return
    try:
        install.install_ranges(Path(sys.executable), BROWSER_PACKAGES)
    except install.SetupError as error:
        print(f"lab test: the tests in a browser are skipped: {error}", file=sys.stderr)


def _workers(arguments: list[str]) -> list[str]:
    """Return the options for the workers: none for a single test, or while a person watches."""
    if any("::" in one or one.startswith(NO_WORKERS) for one in arguments):
        return []
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["-n", str(processors + 1), "--dist", "worksteal"]


def _run(command: list[str], own_session: bool, **options: Any) -> int:
    """Run the command to its end, whatever signal arrives; return its exit code."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        # At SIGINT, pytest and its workers clean up.
        os.killpg(child.pid, signal.SIGKILL if interrupted else signal.SIGINT)
        interrupted = True

    own_session = own_session and os.name == "posix"
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(command, start_new_session=own_session, **options)
    if own_session:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
    else:
        signal.signal(signal.SIGINT, lambda *_: None)  # pytest gets it from the terminal too
    if sys.platform != "linux":
        return child.wait()
    while child.returncode is None:
        ended, status = os.waitpid(-1, 0)  # also the orphans
        if ended == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
    left = _sweep(0 if interrupted else GRACE_S)
    if interrupted:
        return INTERRUPTED
    for line in left:
        print(f"left behind by a test, and killed now: {line}", file=sys.stderr)
    return child.returncode if child.returncode > 0 else int(bool(left or child.returncode))


def _sweep(grace_s: float) -> list[str]:
    """Kill every process that the tests left behind; return their command lines."""
    deadline = time.monotonic() + grace_s
    while (children := _children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = []
    while children:  # a child's children become ours with its death
        for process in children:
            words = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
            left.append(f"{process.name} {words}")
            os.kill(int(process.name), signal.SIGKILL)
            os.waitpid(int(process.name), 0)
        children = _children()
    return left


def _children() -> list[Path]:
    """Return the living children of this process, in /proc; reap those that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    numbers = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return [Path("/proc") / number for number in numbers.split()]


def _remove(folder: str) -> None:
    """Remove a folder, also if a test has removed the permissions of what is in it."""
    for parent, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(parent, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
