"""Write the sheets as nbgrader assignments: source/02_handshake/02_handshake.ipynb and so on, in a course.

Each task is a cell that nbgrader empties between its marks, and a locked cell behind it that is worth the task's points
and calls ``lab.exercises.check_cells``, which reports the same story as ``python3 lab check``. The kit must be where the
notebook runs: in a folder above it, or named by the environment variable LAB_KIT.

nbgrader runs students' code with the grader's rights and without the hidden checks: use it for practice, and
``python3 lab grade`` for marks.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.exercises.checks.tasks import Facts, facts
from lab.instructor import stubs
from lab.instructor.marking import MINUTES_PER_POINT

if TYPE_CHECKING:  # its import takes seconds, so only where it is needed
    import nbformat

MARKS = {stubs.BEGIN: "### BEGIN SOLUTION", stubs.END: "### END SOLUTION"}
SCHEMA = 3  # of nbgrader's metadata
FIND_THE_KIT = """\
import os
import sys
from pathlib import Path

places = [Path(os.environ.get("LAB_KIT", ".")).resolve(), *Path.cwd().parents]
kit = next((place for place in places if (place / "lab" / "exercises" / "checks").exists()), None)
assert kit, "where is the lab kit? Start Jupyter with LAB_KIT set to its folder"
sys.path.insert(0, str(kit))
from lab.exercises import check_cells"""


def make_notebook(path: Path) -> "nbformat.NotebookNode":
    """Return the assignment of one solution. Raise ``stubs.MarkError``."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    sheet, known = path.stem.removeprefix("sheet_"), facts(path)
    text = path.read_text(encoding="utf-8")
    list(stubs.regions(text))  # raises MarkError
    heading = f"# {ast.get_docstring(ast.parse(text))}\n\nWrite the functions, run the cells from the top."
    cells = [new_markdown_cell(heading, id="heading"), _code("kit", FIND_THE_KIT, locked=True)]
    for name, source in _parts(text, known):
        if name is None:
            cells.append(_code(f"given_{len(cells)}", source, locked=True))
            continue
        for ours, theirs in MARKS.items():
            source = source.replace(ours, theirs)
        cells.append(_code(name, source, solution=True))
        points = known[name].minutes / MINUTES_PER_POINT
        check = f'check_cells("{sheet}", "{name}", In)'
        cells.append(_code(f"check_{name}", check, locked=True, points=points))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _parts(text: str, known: dict[str, Facts]) -> Iterator[tuple[str | None, str]]:
    """Yield the name and text of each task, and None with the text between tasks: imports, constants."""
    lines, given = text.splitlines(), ""
    body = ast.parse(text).body[1:]  # behind the docstring
    starts = [node.lineno - 1 for node in body] + [len(lines)]
    for node, start, end in zip(body, starts, starts[1:], strict=False):
        source = "\n".join(lines[start:end]).rstrip()  # to the next node: an end mark is not part of this one
        name = getattr(node, "name", None)
        if name not in known:
            given += source + "\n"
            continue
        if given:
            yield None, given.rstrip()
        yield name, source
        given = ""


def _code(
    cell_id: str, source: str, locked: bool = False, solution: bool = False, points: float | None = None
) -> "nbformat.NotebookNode":
    from nbformat.v4 import new_code_cell

    about = {"schema_version": SCHEMA, "grade_id": cell_id, "task": False}
    about |= {"locked": locked, "solution": solution}
    about |= {"grade": points is not None} | ({"points": points} if points is not None else {})
    return new_code_cell(source, id=cell_id.lower().replace("_", "-"), metadata={"nbgrader": about})


def write_assignments(course: Path) -> list[Path]:
    """Write every assignment; return their paths. Raises ``stubs.MarkError``, and OSError before it replaces another file."""
    import nbformat

    made: dict[Path, str] = {}
    for path in stubs.solutions():
        sheet = path.stem.removeprefix("sheet_")
        target = course / "source" / sheet / f"{sheet}.ipynb"
        made[target] = nbformat.writes(make_notebook(path)) + "\n"
        if target.exists() and target.read_text(encoding="utf-8", errors="replace") != made[target]:
            raise OSError(
                0, "this is another notebook (edited, or of another version): move it away", str(target)
            )
    for target, text in made.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return list(made)
