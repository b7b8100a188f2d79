"""Are the checks any good? Right ones pass, wrong ones fail with a story, stubs read "not attempted". Fewer seeds
than the bench."""

import ast
import functools
import os
import re
import shutil
import subprocess
import sys

import pytest

from lab.exercises.checks import tasks as sheets
from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import NotAttempted
from lab.exercises.checks.tasks import STUBS, Student, module_name, sheet_names
from lab.instructor import stubs
from lab.instructor.marking import HIDDEN
from lab.instructor.misconceptions import MISCONCEPTIONS
from lab.instructor.stubs import SOLUTIONS
from tests.bench.misconceptions import STYLES, all_tasks, answer_given_away, run, run_misconception
from tests.support import ROOT, some_of

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # numbers that wrap around do so in numpy's scalars too
SEEDS = (1, 2)
MOST_TASKS = 4  # in a sheet: as many as fit into a session
TASKS = all_tasks()
HIDDEN_TASKS = [task for sheet in sheet_names(HIDDEN) for task in sheets.load_tasks(sheet, HIDDEN)]


def test_there_are_sheets_for_notebooks_02_to_09():
    assert {name[:2] for name in sheet_names()} >= {"02", "03", "04", "05", "06", "07", "08", "09"}
    for sheet in sheet_names():
        assert 1 <= len([task for task in TASKS.values() if task.sheet == sheet]) <= MOST_TASKS


def test_stubs_are_generated_from_the_solutions_byte_for_byte():
    assert stubs.stale() == []


def test_sheets_that_the_instructor_has_worked_on_change_no_rule(tmp_path):
    rules = """if True:
        from lab.instructor import marking, similarity
        exercises = marking.all_exercises()
        print(sum(one.points for sheet in exercises.values() for one in sheet), similarity.GIVEN.keys())
        print(sum(map(len, similarity.GIVEN.values())), marking.rules_fingerprint("key"))
    """

    def printed(kit) -> str:
        return subprocess.run([sys.executable, "-c", rules], cwd=kit, capture_output=True, text=True).stdout

    for part in ("lab", "tests/exercises"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "lab" / "exercises" / "sheet_02_handshake.py").write_text("x = [")
    shutil.copy(SOLUTIONS / "sheet_03_psh_and_payloads.py", tmp_path / "lab" / "exercises")
    assert printed(tmp_path) == printed(ROOT) != ""


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_every_task_says_how_long_it_takes_where_to_read_and_which_notebook(task):
    facts = sheets.facts(STUBS / f"{module_name(task.sheet)}.py")[task.name]
    assert 5 <= facts.minutes <= 60
    assert "RFC" in facts.source or facts.source.startswith("no standard: ")
    assert facts.notebook == task.sheet


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_stubs_read_not_attempted(task):
    with StudentCode(STUBS / f"{module_name(task.sheet)}.py") as code:
        with pytest.raises(NotAttempted):
            task.check(Student(code), 0)


@pytest.mark.parametrize("folder", [SOLUTIONS, *STYLES], ids=lambda folder: folder.name)
@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_right_ones_pass(task, folder):
    assert run(task, folder / f"{module_name(task.sheet)}.py", SEEDS, 10) == [None] * len(SEEDS)


@pytest.mark.maintainers
@pytest.mark.parametrize("task", HIDDEN_TASKS, ids=lambda task: task.check.__name__)
def test_hidden_checks_pass_the_right_ones_and_no_misconception(task):
    name = f"{module_name(task.sheet)}.py"
    for folder in (SOLUTIONS, *STYLES):
        assert run(task, folder / name, SEEDS, 10) == [None] * len(SEEDS)
    if (
        task.sheet == "10_somebody_who_acts"
    ):  # of the others, some misconceptions are for the visible check alone
        wrong = [one for one in MISCONCEPTIONS if (one.sheet, one.task) == (task.sheet, task.name)]
        for one in wrong:
            assert run_misconception(one, {(task.sheet, task.name): task}, [0])[0], one.id


def test_at_least_two_other_styles():
    assert len(STYLES) >= 2


def test_at_least_sixty_misconceptions_and_some_for_each_task():
    assert len(MISCONCEPTIONS) >= 60
    assert {(one.sheet, one.task) for one in MISCONCEPTIONS} == set(TASKS)


@functools.cache
def stories_of(one) -> list:
    return run_misconception(one, TASKS, SEEDS[:1])


@pytest.mark.parametrize("one", some_of(MISCONCEPTIONS), ids=lambda one: one.id)
def test_misconceptions_fail_with_a_story_without_the_answer(one):
    for wrong in stories_of(one):
        assert wrong is not None, "a wrong one passes"
        story = wrong.story
        assert story.given and story.came_back and len(story.rule) > 20
        assert not answer_given_away(wrong), str(wrong)
        parts = [story.given, *dict.fromkeys(story.steps), story.came_back, story.rule]
        said = [
            one.strip(" .")
            for part in parts
            for one in re.split(r"(?<=[.;:])\s", part)
            if len(one) > 20 and " " in one
        ]
        assert not [one for one in said if sum(part.count(one) for part in parts) > 1], str(wrong)


NAME_A_FRAME = [sheet for sheet in sheet_names() if sheet[:2] in ("02", "03", "05", "06", "08")]


@pytest.mark.parametrize("sheet", some_of(NAME_A_FRAME))
def test_stories_name_a_frame_and_a_filter_to_paste(sheet):
    named = 0
    chosen = [one for one in MISCONCEPTIONS if one.sheet == sheet]
    for one in chosen:
        [wrong] = stories_of(one)
        if wrong.story.frame is not None:
            named += 1
            assert wrong.story.filter == f"frame.number == {wrong.story.frame}"
    assert named >= len(chosen) / 3


@pytest.mark.maintainers
def test_the_check_is_pytest_underneath(tmp_path):
    """Right against the solutions with nothing skipped; "not attempted" against the stubs; a story against a wrong
    one."""

    def pytest_on(*arguments):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout

    code, printed = pytest_on("tests/exercises", "--solutions")
    assert (
        code == 0
        and f"{len(TASKS)} passed" in printed
        and "skipped" not in printed
        and "xfailed" not in printed
    )
    one = "tests/exercises/test_02_handshake.py"  # in the students' copy all are tried
    code, printed = pytest_on(one)
    assert code == 0 and " xfailed" in printed and "passed" not in printed
    for path in stubs.solutions():
        shutil.copy(path, tmp_path)
    wrong = tmp_path / "sheet_02_handshake.py"
    wrong.write_text(wrong.read_text(encoding="utf-8").replace('">HHIIBBH"', '"<HHIIBBH"'), encoding="utf-8")
    code, printed = pytest_on(one, "--sheets", tmp_path)
    assert code == 1 and "1 failed" in printed
    assert "came back  result['source_port']" in printed and "Traceback" not in printed


def test_solutions_have_a_docstring_a_question_and_marked_regions():
    for path in stubs.solutions():
        text = path.read_text(encoding="utf-8")
        assert list(stubs.regions(text))
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                about = ast.get_docstring(node)
                is_task = "# solution:" in ast.get_source_segment(text, node)
                assert about and (is_task or "given to you" in about)
                assert not is_task or "# Question: " in ast.get_source_segment(text, node)


def test_what_a_new_stub_replaces_is_kept_and_said(tmp_path, capsys, monkeypatch):
    from lab.instructor.commands import stubs as command

    solutions, folder = tmp_path / "solutions", tmp_path / "sheets"
    for path in (solutions, folder):
        path.mkdir()
    (solutions / "sheet_99_x.py").write_text("x = 1\n")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(stubs, "SOLUTIONS", solutions)
    monkeypatch.setattr(stubs, "STUBS", folder)
    sheet = folder / "sheet_99_x.py"
    for text, said in (
        (None, ""), ("x = 1\n", ""), ("mine", "sheet_99_x.py.old"), ("mine too", "sheet_99_x.2.py.old"),
    ):  # fmt: skip
        if text:
            sheet.write_text(text)
        assert command.main([]) == 0
        printed = capsys.readouterr().out
        assert (
            printed.startswith(f"sheets{os.sep}sheet_99_x.py")
            and said in printed
            and ("now" in printed) == bool(said)
        )
        assert not said or (folder / said).read_text() == text
        assert sheet.read_text() == "x = 1\n"


@pytest.mark.parametrize(
    "text",
    ["# solution:\n# solution:\n", "# :solution\n", "def f():\n    # solution:\n    pass\n"],
    ids=["twice", "no begin", "no end"],
)
def test_marks_that_do_not_pair_up_are_told(text):
    with pytest.raises(stubs.MarkError, match="line"):
        stubs.make_stub(text)
