"""Generate the students' sheets from the solutions.

A sheet that somebody has worked on is kept beside the new one as ``.py.old``. A solution is a complete, working module
in ``lab/instructor/solutions``. What students must write stands between two marks:

    # solution:
    ...
    # :solution

Inside a function the region becomes ``raise NotImplementedError("name")``, which the checks read as "not attempted";
at the left margin (helpers, revealing imports) it is removed. Everything else stays, docstrings and questions included.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from lab.exercises.checks.tasks import STUBS

SOLUTIONS = Path(__file__).with_name("solutions")
BEGIN, END = "# solution:", "# :solution"


class MarkError(ValueError):
    """The marks of a solution do not pair up; the text says where."""


def regions(text: str) -> Iterator[tuple[int, int]]:
    """Yield the first and last line index of each marked region, marks included. Raise MarkError."""
    begin = None
    for number, line in enumerate(text.splitlines()):
        if line.strip() == BEGIN:
            if begin is not None:
                raise MarkError(f"line {number + 1}: a region inside a region")
            begin = number
        elif line.strip() == END:
            if begin is None:
                raise MarkError(f"line {number + 1}: the end of a region without its beginning")
            yield begin, number
            begin = None
    if begin is not None:
        raise MarkError(f"line {begin + 1}: a region without its end")


def make_stub(text: str) -> str:
    """Return the stub of a solution's text."""
    lines = text.splitlines()
    names: dict[int, str] = {}  # of the function or class around each line
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names |= dict.fromkeys(range(node.lineno - 1, (node.end_lineno or node.lineno) + 1), node.name)
    for begin, end in reversed(list(regions(text))):
        indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        lines[begin : end + 1] = [f'{indent}raise NotImplementedError("{names[begin]}")'] if indent else []
    return "\n".join(lines).rstrip("\n") + "\n"


def solutions() -> list[Path]:
    return sorted(SOLUTIONS.glob("sheet_*.py"))


def make_stubs() -> dict[str, bytes]:
    """Return every stub by its file's name."""
    return {path.name: make_stub(path.read_text(encoding="utf-8")).encode() for path in solutions()}


def stale() -> list[str]:
    """Return the names of stubs that differ from what is generated, and of those without a solution."""
    wanted = make_stubs()
    there = {path.name: path.read_bytes() for path in STUBS.glob("sheet_*.py")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write() -> dict[Path, Path | None]:
    """Write every stub; return for each path where the old sheet was moved to (None: nothing was moved)."""
    written = {}
    for name, text in make_stubs().items():
        stub, aside, number = STUBS / name, None, 1
        if stub.exists() and stub.read_bytes() != text:
            aside = stub.with_name(f"{stub.stem}.py.old")
            while aside.exists():  # older copies stay
                number += 1
                aside = stub.with_name(f"{stub.stem}.{number}.py.old")
            stub.replace(aside)
        stub.write_bytes(text)
        written[stub] = aside
    return written
