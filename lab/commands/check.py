"""``python3 lab check [SHEET ...]``: check your own exercises, a line a task, and a story for each wrong one.

pytest does the work (``pytest tests/exercises`` runs the same checks), in the order of the sheets. In a notebook,
``lab.exercises.check("02")`` does the same. The bar counts the whole course: for sheets that are not checked now, the
last results are read from ``captures/mine/progress.json``, which may be deleted.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.commands import command_line, refuse
from lab.setup.paths import ROOT

if TYPE_CHECKING:
    import pytest

    from lab.exercises.checks.tasks import Facts

PROGRESS = ROOT / "captures" / "mine" / "progress.json"
DONE, WRONG, NOT_ATTEMPTED, BROKEN = "done", "wrong", "not attempted", "cannot be checked"
BAR = 30  # characters
CALL_S = 10.0


def main(argv: list[str] | None = None) -> int:
    from lab.exercises.checks.tasks import CHECKS, sheet_names

    parser = command_line("check", "Check your own exercises, in lab/exercises.")
    add, seconds = parser.add_argument, "for one call (default: %(default)s s)"
    add("sheet", nargs="*", help="02, handshake or 02_handshake; without one, all of them")
    add("--sheets", type=Path, metavar="DIR", help="check the sheets in this folder instead")
    add("--time-limit", type=float, default=CALL_S, metavar="S", help=seconds)
    options = parser.parse_args(argv)
    try:
        chosen = [_find_sheet(word, sheet_names()) for word in options.sheet] or sheet_names()
    except ValueError as error:
        return refuse("check", error)
    arguments = [str(CHECKS / f"test_{sheet}.py") for sheet in chosen]
    arguments += ["--time-limit", str(options.time_limit)]
    arguments += ["--sheets", str(options.sheets.resolve())] if options.sheets else []
    return _run(arguments, remember=options.sheets is None)


def _find_sheet(word: str, names: list[str]) -> str:
    number = word.zfill(2) if word.isdigit() else word
    for name in names:
        if word == name or number == name[:2] or word == name[3:]:
            return name
    raise ValueError(f"unknown sheet {word!r}: choose from {', '.join(names)}")


def _run(arguments: list[str], remember: bool) -> int:
    import pytest

    reporter = Reporter()
    settings = ["-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider", "-W", "ignore"]
    settings += ["--rootdir", str(ROOT), "--config-file", str(ROOT / "pyproject.toml")]
    code = pytest.main([*settings, *arguments], plugins=[reporter])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return refuse("check", "the checks could not be run; is the kit complete?")
    reporter.finish(remember)
    return 1 if {WRONG, BROKEN} & set(reporter.states.values()) else 0


class Reporter:
    """A pytest plugin that prints a line for each task at once, and the stories at the end."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self._stories: list[str] = []
        self._sheet = ""

    def pytest_collectreport(self, report: "pytest.CollectReport") -> None:
        if report.failed:
            print(report.longrepr, file=sys.stderr)

    def pytest_collection_modifyitems(self, items: "list[pytest.Function]") -> None:
        self._names = {one.name: getattr(one.function, "task_name", one.name) for one in items}
        sheets = {item.path.stem.removeprefix("test_") for item in items}
        self._facts = {sheet: _facts_of(sheet) for sheet in sheets}

    def pytest_runtest_logreport(self, report: "pytest.TestReport") -> None:
        if report.when != "call" and not report.failed:
            return
        path, _, test = report.nodeid.partition("::")
        sheet, task = Path(path).stem.removeprefix("test_"), self._names[test]
        state = self.states[f"{sheet}.{task}"] = self._state(report, task)
        if sheet != self._sheet:
            print(f"\n{sheet}", flush=True)
            self._sheet = sheet
        facts = self._facts.get(sheet, {}).get(task)
        about = f"{facts.minutes:>3} min  {facts.source}" if facts else ""
        print(f"  {state:<14} {task:<22} {about}".rstrip(), flush=True)

    def _state(self, report: "pytest.TestReport", task: str) -> str:
        """Return what a task came to; keep its story."""
        if hasattr(report, "wasxfail"):
            return NOT_ATTEMPTED
        if not report.failed:
            return DONE
        text = str(report.longrepr)
        is_story = "  came back  " in text
        story = text if is_story else f"{task}: {text.strip().splitlines()[-1]}"
        if story not in self._stories:  # a sheet that cannot be loaded has one story for all its tasks
            self._stories.append(story)
        return WRONG if is_story else BROKEN

    def finish(self, remember: bool) -> None:
        """Print the stories and the bar. With ``remember``, earlier results count too, and these are kept."""
        from lab.exercises.checks.tasks import load_tasks, sheet_names

        print(*(f"\n{story}" for story in self._stories), sep="\n", end="\n" if self._stories else "")
        known = self.states
        if remember:
            known = _remember(self.states)
            print_answers()
        tasks = [task.id for sheet in sheet_names() for task in load_tasks(sheet)]
        done = sum(known.get(task) == DONE for task in tasks)
        filled = BAR * done // max(len(tasks), 1)
        print(f"\ncourse  [{'#' * filled}{'.' * (BAR - filled)}]  {done} of {len(tasks)} tasks done")


def _facts_of(sheet: str) -> "dict[str, Facts]":
    """Return what the student's sheet says about its tasks; nothing if it cannot be read (each task reports that)."""
    from lab.exercises.checks.tasks import STUBS, facts, module_name

    try:
        return facts(STUBS / f"{module_name(sheet)}.py")
    except (OSError, SyntaxError, ValueError):
        return {}


def print_answers() -> None:
    """Print a line for each of your answers.toml: whether it can be read, and what cannot be an answer.

    What is right is not known here.
    """
    from lab.exercises.checks.answers import AnswersError, read_answers
    from lab.harness.student_capture import mistakes

    for path in sorted(PROGRESS.parent.glob("*/answers.toml")):
        name = path.relative_to(ROOT).as_posix()
        try:
            answers = read_answers(path)
            print(f"\n{name}: {len(answers.keys() - {'student'})} answered", *mistakes(answers), sep="\n  ")
        except (AnswersError, OSError) as error:
            print(f"\n{name} cannot be read: {error}")


def _remember(states: dict[str, str]) -> dict[str, str]:
    """Add states to those of earlier runs, and return all. On a read-only disk nothing is kept."""
    try:
        states = {**json.loads(PROGRESS.read_text(encoding="utf-8")), **states}
    except (OSError, ValueError, TypeError):
        pass  # the first run, or a file that somebody has edited
    with contextlib.suppress(OSError):
        PROGRESS.parent.mkdir(parents=True, exist_ok=True)
        PROGRESS.write_text(json.dumps(states, indent=1) + "\n", encoding="utf-8")
    return states
