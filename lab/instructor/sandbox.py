"""A process that can only compute: no network, no other files, bounded in time, memory, processes and output.

    command(arguments, folder, runner) -> how to start runner.py with the files of ``folder`` and nothing else

``launcher`` makes these processes, each the parent of the next:

    grader's worker    sends requests; watches time and memory (``lab.exercises.checks.child``)
      launcher         outside; waits. Killed by the kernel when the worker ends (PR_SET_PDEATHSIG)
        first          process 1 inside; waits. Killed by the kernel when the launcher ends
          runner       the student's code

and six namespaces, whose rights it drops before the student's code starts:

    user       inside it is an ordinary user, so that exec leaves no rights
    mount      a new root: a tmpfs with Python, its libraries, the runner and the submission, all read-only
    pid        the code sees only itself; when process 1 ends, the kernel kills all others
    net        not even a loopback that is up
    ipc, uts   nothing shared

What makes each guarantee hold:

    nothing is left   Process 1 is the kit's own. It cannot be killed, stopped or traced from inside, so its
                      tie to the launcher stays. With it goes every process inside, whatever its session.
    time              The worker waits and writes with deadlines, then kills the tree. RLIMIT_CPU besides.
    memory            A seccomp filter refuses new processes (threads share one address space) and what lives
                      outside of RLIMIT_AS: System V and POSIX queues and shared memory, memfd, io_uring. So
                      the bound is 1 process x MEMORY_BYTES; files (4 MB, 4,096 inodes) and pipes fit in what
                      is left of 512 MB. The worker also adds up the tree, with a filter or without.
    keys              A session keyring of its own, and the filter refuses keyctl.
    output            Bounded by the reader (``lab.exercises.checks.child``).

Started by root, the launcher builds the new root as root and then becomes the user "nobody", since root is exempt from
the limit on processes. If namespaces or the filter are refused (``probe`` says why), there is no sandbox, and the
grader does not start unless it may go without (``limits_only``): then a submission may read what its user may read.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from lab.instructor import launcher
from lab.instructor.launcher import INSIDE_RUNNER, INSIDE_SHEETS

LAUNCHER = [sys.executable, "-I", "-S", launcher.__file__]
PYTHON = os.path.realpath(sys.executable)  # not a virtual environment's link
MEMORY_BYTES = 448 << 20  # address space of the one process


def command(arguments: Sequence[str], folder: Path, runner: Path, hidden: Sequence[Path] = ()) -> list[str]:
    """Return the command that runs ``arguments`` (of runner.py) in a sandbox with ``folder`` at INSIDE_SHEETS.

    ``hidden`` are folders that must not be visible even if they lie below one that Python needs.
    """
    plan: dict[str, object] = {"folder": str(folder.resolve()), "runner": str(runner.resolve())}
    plan |= {"python": _python_folders(), "hidden": [str(path.resolve()) for path in hidden]}
    plan |= {"parent": os.getpid()}
    return [*LAUNCHER, json.dumps(plan), PYTHON, "-I", "-S", INSIDE_RUNNER, *arguments[1:]]


def limits_only(arguments: Sequence[str]) -> list[str]:
    """Return the same without namespaces: limits, and nothing hidden."""
    program = [sys.executable, "-I", "-S", *arguments]
    return [*LAUNCHER, "{}", *program] if os.name == "posix" else program


def probe(runner: Path, folder: Path) -> str | None:
    """Return why there can be no sandbox here, or None. Tries one, with a file in ``folder``."""
    if not sys.platform.startswith("linux"):
        return "namespaces exist on Linux only"
    place = folder / "probe"
    place.mkdir()
    place.chmod(0o755)  # for nobody, which root becomes
    (place / "probe.py").write_text("def f():\n    return 1\n")
    words = command([str(runner), f"{INSIDE_SHEETS}/probe.py"], place, runner)
    request = b'{"id": 1, "call": "f", "arguments": []}\n'
    try:
        done = subprocess.run(words, input=request, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(place)
    if b'"result": 1' in done.stdout:
        return None
    return done.stderr.decode(errors="replace").strip()[-200:] or f"exit code {done.returncode}"


def _python_folders() -> list[str]:
    """Return the folders of the interpreter and its standard library, in case they are not system folders."""
    wanted = {os.path.dirname(os.path.dirname(PYTHON)), sysconfig.get_paths()["stdlib"]}
    wanted |= {sysconfig.get_config_var("LIBDIR") or ""} | {sys.base_prefix}
    folders = map(os.path.realpath, wanted - {""})
    return sorted(path for path in folders if path != "/" and os.path.isdir(path))
