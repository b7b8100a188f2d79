"""Read what a student handed in, in a process with limits: a file can be made to cost much, or to crash Python.

``ask`` starts ``python -m MODULE``, which hands one of its functions to ``answer``. That process runs none of the student's
code. An ordinary hand-in takes a tenth of CPU_S and MEMORY_BYTES.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from lab.setup.paths import ROOT

CPU_S, WAIT_S = 6, 60
MEMORY_BYTES = 448 << 20
BOUNDS = f"{CPU_S} s or {MEMORY_BYTES >> 20} MB"
LONGEST_REPORT = 32 << 20  # bytes


def ask(module: str, *arguments: str) -> dict[str, Any] | None:
    """Return what ``module`` answers to these arguments, or None if it exceeds a limit or crashes."""
    command = [sys.executable, "-m", module]
    asked = json.dumps(arguments).encode()
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each of its threads reserves address space
    try:
        done = subprocess.run(command, input=asked, capture_output=True, cwd=ROOT, env=env, timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or len(done.stdout) > LONGEST_REPORT:
        return None
    return json.loads(done.stdout)


def answer(examine: Callable[..., dict[str, Any]]) -> None:
    """Limit this process, call ``examine`` with the arguments from standard input, and write the result as JSON."""
    try:
        import resource
    except ImportError:
        pass  # Windows: WAIT_S is the bound
    else:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(examine(*json.load(sys.stdin)), sys.stdout)
