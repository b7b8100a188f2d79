"""Check from a notebook: ``check("02")`` is ``python3 lab check 02``; ``check_cells`` checks one task."""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import NotAttempted
from lab.exercises.checks.story import Wrong
from lab.exercises.checks.tasks import Student, load_tasks, module_name
from lab.setup.paths import ROOT


def check(*sheets: str) -> None:
    """Print what the command prints. It runs in a fresh process, so that a saved file counts at once."""
    command = [sys.executable, str(ROOT / "lab"), "check", *sheets]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
    print(done.stdout + done.stderr, end="")


def check_cells(sheet: str, task: str, cells: Sequence[str]) -> None:
    """Check one function of a sheet that was written in a notebook; ``cells`` is IPython's ``In``.

    Raises AssertionError with the story where it is wrong, NotImplementedError where it was not attempted.
    """
    [chosen] = [one for one in load_tasks(sheet) if one.name == task]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{module_name(sheet)}.py"
        path.write_text("\n".join(map(_definitions, cells)), encoding="utf-8")
        with StudentCode(path) as code:
            try:
                chosen.check(Student(code), 0)
            except NotAttempted:
                raise NotImplementedError(f"{task}: not attempted") from None
            except Wrong as wrong:
                raise AssertionError(str(wrong)) from None
    print(f"{task}: done")


def _definitions(cell: str) -> str:
    """Return what a cell defines. Other statements, and text that is not Python, are left out: they may fail."""
    if check_cells.__name__ in cell:  # the kit's own cells, which the student's code can do without
        return ""
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return ""

    def is_definition(node: ast.stmt) -> bool:
        is_constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        return is_constant or isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))

    return "\n".join(map(ast.unparse, filter(is_definition, body)))
