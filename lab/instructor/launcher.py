"""Make a sandbox and run a student's code in it: see ``sandbox`` for its guarantees.

    python -I -S launcher.py PLAN

PLAN is JSON: the ``way`` (a key of ``sandbox.WAYS``), the file of ``lab.exercises.checks.runner`` and its arguments
``sheet`` and ``memory``, ``python`` (the folders that the interpreter needs), ``hidden`` (those that must not be visible),
and ``parent``, the process that must exist. The runner is imported here and runs in a fork of this process. No program is
started inside, so the filter can refuse to start any. Standard library only; the exit code is the code's, or EXIT_REFUSED.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
from types import ModuleType
from typing import Any, NoReturn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if not __package__:
    sys.path.insert(0, ROOT)

from lab.instructor import kernel, landlock, new_root, system_calls  # noqa: E402  started by path

CPU_S = 20  # of one process
FILE_BYTES = 1 << 20
OPEN_FILES = 64
EXIT_REFUSED = 125


def main(arguments: list[str]) -> int:
    plan = json.loads(arguments[0])
    runner = _import_runner(plan["runner"])
    is_linux = sys.platform.startswith("linux")
    try:
        if is_linux:
            kernel.end_with_parent()
            if os.getppid() != plan["parent"]:  # it has ended already
                return EXIT_REFUSED
        if plan["way"] == "namespaces":
            return _in_namespaces(plan, runner)
        if plan["way"] == "landlock":
            return _behind_landlock(plan, runner)
        if plan["way"] != "limits":
            raise kernel.SandboxError(f"there is no way called {plan['way']!r}")
        with contextlib.suppress(kernel.SandboxError):  # no filter here: the watch over memory holds
            _give_up_rights(threads=True, is_linux=is_linux)
        _run(runner, plan["sheet"], plan)
    except OSError as error:
        print(f"no sandbox: {error.strerror or error}", file=sys.stderr, flush=True)
        return EXIT_REFUSED


def _import_runner(path: str) -> ModuleType:
    """Import the runner by itself, and leave no way to the rest of the kit."""
    sys.path[0] = os.path.dirname(path)
    runner = importlib.import_module("runner")
    del sys.path[0]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]
    return runner


def _in_namespaces(plan: dict[str, Any], runner: ModuleType) -> int:
    new_root.enter(plan)
    alive, held_open = os.pipe()
    if first := os.fork():
        os.close(alive)
        return _exit_code(_wait_for(first))
    os.close(held_open)
    kernel.end_with_parent()
    if select.select([alive], [], [], 0)[0]:  # end of file: the launcher has ended already
        return EXIT_REFUSED
    # This is process 1, which nothing inside can kill or stop (pid_namespaces(7)), nor trace: it is not dumpable.
    kernel.set_dumpable(False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if started := os.fork():
        return _exit_code(_wait_for(started))
    kernel.set_dumpable(True)  # so that the grader can measure its memory
    os.setsid()  # leave the launcher's group, which a signal to the group would reach
    _give_up_rights(threads=True)
    _run(runner, f"{new_root.INSIDE_SHEETS}/{os.path.basename(plan['sheet'])}", plan)


def _behind_landlock(plan: dict[str, Any], runner: ModuleType) -> int:
    scratch = os.path.join(os.path.dirname(os.path.dirname(plan["sheet"])), f"scratch-{os.urandom(8).hex()}")
    os.mkdir(scratch, 0o700)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    if child := os.fork():
        os.closerange(0, 3)  # our ends of the grader's pipes, so that they end with the code
        code = _exit_code(landlock.watch(child, scratch))
        landlock.remove(scratch)
        return code
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    kernel.end_with_parent()
    os.setsid()
    user = os.geteuid()
    sheet = landlock.confine(plan, scratch)
    _give_up_rights(threads=os.geteuid() != user)  # the limit counts all of a user's; ``watch`` counts these
    _run(runner, sheet, plan)


def _give_up_rights(threads: bool, is_linux: bool = True) -> None:
    """Limit this process, close what it has inherited, drop its capabilities, and filter its system calls."""
    import resource  # not on Windows, where ``sandbox.command`` does without this program

    limits = {"CPU": CPU_S, "FSIZE": FILE_BYTES, "NOFILE": OPEN_FILES, "CORE": 0, "MSGQUEUE": 0, "MEMLOCK": 0}
    limits |= {"SIGPENDING": 64} | ({"NPROC": landlock.THREADS} if threads else {})
    for name, value in limits.items():
        if (what := getattr(resource, f"RLIMIT_{name}", None)) is not None:
            hard = resource.getrlimit(what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value))
    os.closerange(3, landlock.SHEETS)
    if is_linux:
        kernel.drop_capabilities()
        system_calls.install(system_calls.build_filter())


def _run(runner: ModuleType, sheet: str, plan: dict[str, Any]) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = 1
    try:
        runner.main(sheet, str(plan["memory"]))
        code = 0
    finally:
        os._exit(code)


def _wait_for(child: int) -> int:
    """Wait for a child, and for all whose parents have ended before; return its status."""
    os.closerange(0, 3)  # our ends of the grader's pipes, so that they end with the code
    while True:
        ended, status = os.wait()
        if ended == child:
            return status


def _exit_code(status: int) -> int:
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
