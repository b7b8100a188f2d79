"""How long a sandbox takes to start: ``python -m tests.bench.sandbox``.

Compares, in turns, a bare Python with the same imports, which answers one call, with the same call in each sandbox.
Prints the wall clock and the CPU time of the processes, and their ratio to the bare one.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from lab.exercises.checks.child import StudentCode, plain_command
from lab.instructor import sandbox
from tests.bench import end_on_sigterm

IMPORTS = "import ctypes, contextlib, errno, importlib, json, os, select, signal, struct, sys, types, typing"
BARE = f"{IMPORTS}; sys.path.insert(0, sys.argv[1]); import runner; runner.main(*sys.argv[2:])"


def bare(arguments: list[str]) -> list[str]:
    runner, *rest = arguments
    return [sandbox.PYTHON, "-I", "-S", "-c", BARE, str(Path(runner).parent), *rest]


def measure(command, sheet: Path) -> tuple[float, float]:
    """Wall clock and CPU time of a start, a call and an end, in milliseconds."""

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began, used = time.perf_counter(), cpu()
    with StudentCode(sheet, 30, command, sandbox.MEMORY_BYTES) as code:
        assert code.call("f") == 1
        elapsed = time.perf_counter() - began
    return 1000 * elapsed, 1000 * (cpu() - used)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.sandbox", description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=40)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ways = [way for way in sandbox.WAYS if sandbox.probe(way, folder) is None]
        commands = {"bare Python": bare, "the runner alone": plain_command}
        commands |= {way: partial(sandbox.command, way=way) for way in ways}
        sheet = folder / "sheets" / "sheet.py"
        sheet.parent.mkdir(mode=0o755)
        sheet.write_text("def f():\n    return 1\n")
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.turns):
            for name, command in commands.items():
                found[name].append(measure(command, sheet))
    base = found["bare Python"]
    for name, pairs in found.items():
        lines = []
        for what, column in (("wall", 0), ("CPU", 1)):
            values, bases = ([pair[column] for pair in one] for one in (pairs, base))
            ratio = statistics.median(values) / statistics.median(bases)
            lines.append(f"{what} {min(values):5.0f} {statistics.median(values):5.0f} ms, {ratio:.2f} times")
        print(f"{name:<18}{';  '.join(lines)}")
    return 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
