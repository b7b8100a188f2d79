"""A process that can only compute: no network, no other files, and limits on everything.

    choose(folder) -> the strongest way that works here, and why a stronger one does not
    command(arguments, way) -> how to start the runner of ``lab.exercises.checks`` in it

Each process is the parent of the next, and the kernel kills it when that parent ends (PR_SET_PDEATHSIG):

    grader's worker    sends requests; watches time and memory (``lab.exercises.checks.child``)
      launcher         outside; waits
        first          with namespaces only: process 1 inside; waits
          runner       the student's code

What makes each guarantee hold, with namespaces (``new_root``) and with Landlock (``landlock``):

                      namespaces                           Landlock
    files             a new root with Python, the sheets   rules for Python, the sheets
                      and a tmpfs                          and a scratch folder
    network           one without interfaces               rules for TCP; the filter refuses sockets
    other processes   not visible                          the filter refuses signals and the like
    nothing is left   all end with process 1               one process, which cannot leave its parent
    writing           4 MB, 4,096 files: the tmpfs's       as much, checked 20 times a second
    visible           nothing                              by a known path: existence, size, dates (stat)

and with both:

    filter   System calls are refused by name (``system_calls``): new processes and programs, sockets,
             memory outside of the address space, keys, tracing, a file's attributes. No capabilities.
    time     The worker waits and writes with deadlines, then kills the tree. RLIMIT_CPU besides.
    memory   One process, whose threads share one address space: MEMORY_BYTES. Files and pipes fit in
             what is left of 512 MB. The worker also adds up the tree.
    output   Bounded by the reader (``lab.exercises.checks.child``).

Started by root, the code runs as the user "nobody" (namespaces) or as a user ID that is not in use (Landlock). If no way
works, the grader does not start unless it may go without a sandbox (LIMITS): then a submission may read whatever its user
may read.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lab.instructor import landlock
from lab.setup.paths import ROOT

LAUNCHER = Path(__file__).with_name("launcher.py")
RUNNER = ROOT / "lab" / "exercises" / "checks" / "runner.py"  # not imported: lab doctor needs no packages
PYTHON = os.path.realpath(sys.executable)  # not a virtual environment's link
MEMORY_BYTES = 448 << 20  # address space of the one process
NAMESPACES, LANDLOCK, LIMITS = "namespaces", "landlock", "limits"
WAYS = (NAMESPACES, LANDLOCK)  # the strongest first
PROBE_S = 60


def command(arguments: Sequence[str], way: str) -> list[str]:
    """Return the command that runs the runner with ``arguments`` (its file, the sheet, bytes of memory)."""
    runner, sheet, memory = arguments
    if os.name != "posix":
        return [sys.executable, "-I", "-S", *arguments]
    plan = {"way": way, "runner": runner, "sheet": sheet, "memory": memory, "parent": os.getpid()}
    plan |= {"python": _python_folders(), "hidden": [str(ROOT)]}
    return [PYTHON, "-I", "-S", str(LAUNCHER), json.dumps(plan)]


def choose(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Return the strongest way that works here, or None, and why each stronger one does not. Tries them in ``folder``."""
    refusals: dict[str, str] = {}
    for way in WAYS:
        if (refused := probe(way, folder)) is None:
            return way, refusals
        refusals[way] = refused
    return None, refusals


def report() -> str:
    """Return which sandbox there is here, or why there is none, in a line."""
    with tempfile.TemporaryDirectory() as folder:
        way, refusals = choose(Path(folder))
    return describe(way) if way else all_refusals(refusals)


def all_refusals(refusals: dict[str, str]) -> str:
    """Return why no way works, in a line."""
    return "; ".join(f"{way}: {refused}" for way, refused in refusals.items())


def probe(way: str, folder: Path) -> str | None:
    """Return why a way does not work here, or None. Tries it with a file in ``folder``."""
    if not sys.platform.startswith("linux"):
        return "the sandbox needs Linux"
    place = folder / "probe" / "sheets"
    place.mkdir(parents=True)
    place.chmod(0o755)  # for the user that root becomes
    sheet = place / "probe.py"
    sheet.write_text("def f():\n    return 1\n")
    message = pickle.dumps({"id": 1, "requests": [pickle.dumps({"call": "f", "arguments": []})]})
    try:
        words = command([str(RUNNER), str(sheet.resolve()), str(MEMORY_BYTES)], way)
        done = subprocess.run(words, input=message, capture_output=True, timeout=PROBE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(folder / "probe")
    if b'"result": 1' in done.stdout:
        return None
    reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return reason[-200:].removeprefix("no sandbox: ") or f"exit code {done.returncode}"


def describe(way: str) -> str:
    """Return what a way is, and what it does not guarantee, in a line."""
    if way == NAMESPACES:
        return "in a sandbox of namespaces, with a filter of system calls"
    if way == LIMITS:
        return "without a sandbox: limits on time, memory and processes only"
    version = landlock.abi()
    less = ["whether a known path exists, its size and dates can be seen", *landlock.missing(version)]
    return f"in a sandbox of Landlock (ABI {version}), with a filter of system calls; {'; '.join(less)}"


@cache
def _python_folders() -> list[str]:
    """Return the folders of the standard library and of the interpreter's own libraries."""
    names = ("LIBDIR", "DESTSHARED")  # of shared libraries, and of extension modules
    wanted = {
        sysconfig.get_paths()["stdlib"],
        f"{sys.base_prefix}/lib",
        *map(sysconfig.get_config_var, names),
    }
    return sorted({os.path.realpath(path) for path in wanted if path and os.path.isdir(path)} - {"/"})
