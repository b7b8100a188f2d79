"""The sheets as nbgrader assignments: run as a notebook, and graded by nbgrader itself."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.exercises.checks.tasks import facts
from lab.instructor import stubs
from lab.instructor.commands.nbgrader import main
from lab.setup.paths import ROOT

SHEET = "02_handshake"
WRONG = ('">6s6sH"', '"<6s6sH"')  # a misconception: the type in the wrong byte order


@pytest.fixture(scope="module")
def nbformat():
    """Its import takes seconds, so not where tests are collected."""
    import nbformat

    return nbformat


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    from lab.instructor import assignments

    assignments.write_assignments(folder)
    return folder


def test_every_task_is_a_cell_to_fill_in_and_one_that_is_worth_its_points(course, nbformat):
    for solution in stubs.solutions():
        sheet = solution.stem.removeprefix("sheet_")
        notebook = nbformat.read(course / "source" / sheet / f"{sheet}.ipynb", as_version=4)
        nbformat.validate(notebook)
        about = [cell.metadata.nbgrader for cell in notebook.cells if cell.cell_type == "code"]
        known = facts(solution)
        assert [one.grade_id for one in about if one.solution] == list(known)
        assert {one.grade_id: one.points for one in about if one.grade} == {
            f"check_{name}": fact.minutes / 5 for name, fact in known.items()
        }
        assert all(one.locked for one in about if not one.solution)


def test_an_edited_assignment_is_kept(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0 and main([str(tmp_path)]) == 0, "written again as it is"
    first, edited, *_ = sorted(tmp_path.rglob("*.ipynb"))
    first.unlink()
    edited.write_text("my own")
    capsys.readouterr()
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"lab nbgrader: {edited}: this is another notebook")
    assert edited.read_text() == "my own" and not first.exists()


def outcomes(notebook, folder) -> dict[str, str]:
    """What each check of an executed notebook came to, by the cell's name."""
    environment = {**os.environ, "LAB_KIT": str(ROOT)}
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            [output] = cell.outputs
            found[cell.metadata.nbgrader.grade_id] = output.get("text") or f"{output.ename}: {output.evalue}"
    return found


def test_a_check_tells_right_from_wrong_and_minds_no_experiments(course, nbformat, tmp_path):
    notebook = nbformat.read(course / "source" / SHEET / f"{SHEET}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(*WRONG)
    tried = [
        nbformat.v4.new_code_cell(source)
        for source in ("parse_ethernet(b'')", "%time 1", "this is no Python (")
    ]
    notebook.cells[5:5] = tried
    found = outcomes(notebook, tmp_path)
    assert found["check_parse_ethernet"].startswith("AssertionError: parse_ethernet")
    assert "high byte comes first" in found["check_parse_ethernet"]
    assert (
        found["check_parse_ipv4"] == "parse_ipv4: done\n"
        and found["check_find_handshake"] == "find_handshake: done\n"
    )


@pytest.mark.maintainers
def test_nbgrader_itself_hands_out_and_grades(course):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install nbgrader")

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls alembic by name

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words, "--course", str(course)],
            cwd=course, env={**os.environ, "LAB_KIT": str(ROOT), "PATH": path}, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]

    source = (course / "source" / SHEET / f"{SHEET}.ipynb").read_text(encoding="utf-8")
    run("generate_assignment", SHEET)
    released = (course / "release" / SHEET / f"{SHEET}.ipynb").read_text(encoding="utf-8")
    assert "SOLUTION" not in released and "struct.unpack" not in released
    wrong = [part.replace('"', '\\"') for part in WRONG]  # as JSON has it
    assert wrong[0] in source
    for student, text in (("right", source), ("stub", released), ("wrong", source.replace(*wrong))):
        folder = course / "submitted" / student / SHEET
        folder.mkdir(parents=True)
        (folder / f"{SHEET}.ipynb").write_text(text, encoding="utf-8")
    run("autograde", SHEET)
    run("export")
    with (course / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {"right": 13.0, "stub": 0.0, "wrong": 11.0}
