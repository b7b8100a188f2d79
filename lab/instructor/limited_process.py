"""Read what a student handed in, in a process with limits: a file can be made to cost much, or to crash Python.

    ask ──> helper (``python -m lab.instructor.limited_process``) ──> a fork with limits, for one question

The helper imports a module once, which takes longer than most answers. It reads a line of JSON for each question: a module
of this folder, and the arguments of its function ``examine``. It writes a line with what that returned, or null. None of
them runs the student's code. An ordinary hand-in takes a tenth of CPU_S and MEMORY_BYTES.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from lab.setup.paths import ROOT

CPU_S, WAIT_S = 6, 60
MEMORY_BYTES = 448 << 20
BOUNDS = f"{CPU_S} s or {MEMORY_BYTES >> 20} MB"
LONGEST_REPORT = 32 << 20  # bytes
CAN_FORK = sys.platform.startswith("linux")  # elsewhere a helper answers one question, within WAIT_S

_helpers: list["subprocess.Popen[bytes]"] = []  # at most one
_asking = threading.Lock()


def ask(module: str, *arguments: str) -> dict[str, Any] | None:
    """Return what ``examine`` of a module returns for these arguments, or None if it exceeds a limit or crashes."""
    question = json.dumps([module, arguments]).encode() + b"\n"
    with _asking:
        helper = _helpers.pop() if _helpers else None
        if helper is None or helper.poll() is not None:
            helper = _start()
        assert helper.stdin and helper.stdout
        try:
            helper.stdin.write(question)
            helper.stdin.flush()
            answer = json.loads(helper.stdout.readline())
            if CAN_FORK:
                _helpers.append(helper)
                return answer
        except (OSError, ValueError):  # it has ended
            helper.kill()
            answer = None
        helper.communicate()
        return answer


def _start() -> "subprocess.Popen[bytes]":
    """Start a helper, which ends when its input does: with this process."""
    command = [sys.executable, "-m", __name__]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each of its threads reserves address space
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, cwd=ROOT, env=env)


def main(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    for question in questions:
        module, arguments = json.loads(question)
        examine = partial(importlib.import_module(module).examine, *arguments)
        if CAN_FORK:
            gc.freeze()  # a collection in the fork would copy the pages of all modules
            answer = _in_a_fork(examine)
        else:
            limit = threading.Timer(WAIT_S, os._exit, [1])
            limit.daemon = True
            limit.start()
            answer = json.dumps(examine()).encode()
        answers.write(answer + b"\n")
        answers.flush()


def _in_a_fork(examine: Callable[[], dict[str, Any]]) -> bytes:
    """Return what ``examine`` returns in a process with limits, as JSON, or null if it fails."""
    import resource

    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(WAIT_S)
            with open(writer, "wb") as file:
                file.write(json.dumps(examine()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as file:
        report = file.read(LONGEST_REPORT + 1)
    _, status = os.waitpid(child, 0)
    return report if status == 0 and len(report) <= LONGEST_REPORT else b"null"


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
