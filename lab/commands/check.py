"""``python3 lab check [SHEET ...]``: check the exercises; print a line per task and a story per failure.

pytest does the work (``pytest tests/exercises`` is the same without the lines), in the order of the sheets. In a
notebook, ``lab.exercises.check("02")`` does the same.

The bar counts the whole course: what was found last time about sheets that are not checked now is kept in
``captures/mine/progress.json``, which may be deleted.
"""

import argparse
import json
import sys
from pathlib import Path

from lab.setup.paths import ROOT

PROGRESS = ROOT / "captures" / "mine" / "progress.json"
DONE, WRONG, NOT_ATTEMPTED, BROKEN = "done", "wrong", "not attempted", "cannot be checked"
BAR = 30  # characters
CALL_S = 10.0


def main(argv: list[str] | None = None) -> int:
    from lab.exercises.checks.tasks import CHECKS, sheet_names

    parser = argparse.ArgumentParser(
        prog="lab check", description="Check your own exercises, in lab/exercises."
    )
    parser.add_argument("sheet", nargs="*", help="02, handshake or 02_handshake; without one, all of them")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="check the sheets in this folder instead")
    parser.add_argument(
        "--time-limit", type=float, default=CALL_S, metavar="S", help="for one call (default: %(default)s s)"
    )
    options = parser.parse_args(argv)
    try:
        chosen = [_find_sheet(word, sheet_names()) for word in options.sheet] or sheet_names()
    except ValueError as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    arguments = [str(CHECKS / f"test_{sheet}.py") for sheet in chosen]
    arguments += ["--time-limit", str(options.time_limit)]
    arguments += ["--sheets", str(options.sheets.resolve())] if options.sheets else []
    return _run(arguments, remember=options.sheets is None)


def _find_sheet(word: str, names: list[str]) -> str:
    number = word.zfill(2) if word.isdigit() else word
    found = [
        name
        for name in names
        if name == word or name.split("_")[0] == number or name.split("_", 1)[1] == word
    ]
    if len(found) != 1:
        raise ValueError(f"there is no sheet {word!r}: there are {', '.join(names)}")
    return found[0]


def _run(arguments: list[str], remember: bool) -> int:
    import pytest

    reporter = Reporter()
    quiet = [
        "-o",
        "addopts=",
        "-p",
        "no:terminal",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        "--rootdir",
        str(ROOT),
    ]
    code = pytest.main(
        [*quiet, "--config-file", str(ROOT / "pyproject.toml"), *arguments], plugins=[reporter]
    )
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        print("check: the checks themselves could not be run; is the kit complete?", file=sys.stderr)
        return 2
    reporter.finish(remember)
    return 1 if {WRONG, BROKEN} & set(reporter.states.values()) else 0


class Reporter:
    """A pytest plugin that prints a line a task as it is known, and keeps the stories for the end."""

    def __init__(self):
        self.states: dict[str, str] = {}
        self._stories: list[str] = []
        self._sheet = ""

    def pytest_collectreport(self, report):
        if report.failed:
            print(report.longrepr, file=sys.stderr)

    def pytest_runtest_logreport(self, report):
        if report.when != "call" and not report.failed:
            return
        path, _, test = report.nodeid.partition("::")
        sheet, task = Path(path).stem.removeprefix("test_"), self._names.get(test, test)
        if hasattr(report, "wasxfail"):
            state = NOT_ATTEMPTED
        elif report.failed:
            text = str(report.longrepr)
            told = "  came back  " in text
            state = WRONG if told else BROKEN
            story = text if told else f"{task}: {text.strip().splitlines()[-1]}"
            if story not in self._stories:  # a sheet that cannot be loaded is one story
                self._stories.append(story)
        else:
            state = DONE
        self.states[f"{sheet}.{task}"] = state
        if sheet != self._sheet:
            print(f"\n{sheet}", flush=True)
            self._sheet = sheet
        facts = self._facts.get(sheet, {}).get(task)
        about = f"{facts.minutes:>3} min  {facts.source}" if facts else ""
        print(f"  {state:<14} {task:<22} {about}".rstrip(), flush=True)

    def pytest_collection_modifyitems(self, items):
        self._names = {
            item.name: item.function.task_name for item in items if hasattr(item.function, "task_name")
        }
        sheets = {Path(str(item.path)).stem.removeprefix("test_") for item in items}
        self._facts = {sheet: _facts_of(sheet) for sheet in sheets}

    def finish(self, remember: bool) -> None:
        """The stories, and the bar. ``remember`` what was found, and count what is remembered."""
        for story in self._stories:
            print(f"\n{story}")
        known = {**(_remembered() if remember else {}), **self.states}
        if remember:
            _remember(known)
        all_tasks = _all_tasks()
        done = sum(known.get(task) == DONE for task in all_tasks)
        if remember:
            tell_answers()
        filled = BAR * done // max(len(all_tasks), 1)
        print(f"\ncourse  [{'#' * filled}{'.' * (BAR - filled)}]  {done} of {len(all_tasks)} tasks done")


def _all_tasks() -> list[str]:
    """Every task of the course, as its checks say: a sheet that cannot be read still has its tasks."""
    from lab.exercises.checks.tasks import load_tasks, sheet_names

    return [task.id for sheet in sheet_names() for task in load_tasks(sheet)]


def _facts_of(sheet: str) -> dict:
    """What the students' sheet states of its tasks; nothing where it cannot be read, which each task then tells."""
    from lab.exercises.checks.tasks import STUBS, facts, module_name

    try:
        return facts(STUBS / f"{module_name(sheet)}.py")
    except (OSError, SyntaxError, ValueError):
        return {}


def tell_answers() -> None:
    """A line on each of the student's answers.toml: whether it can be read, and what cannot be an answer. Nobody here knows
    what is right in it."""
    from lab.exercises.checks.answers import AnswersError, read_answers
    from lab.harness.student_capture import mistakes

    for path in sorted(PROGRESS.parent.glob("*/answers.toml")):
        try:
            answers = read_answers(path)
            count = len(answers.keys() - {"student"})
            print(f"\n{path.relative_to(ROOT).as_posix()}: {count} answered", *mistakes(answers), sep="\n  ")
        except (AnswersError, OSError) as error:
            print(f"\n{path.relative_to(ROOT).as_posix()} cannot be read: {error}")


def _remembered() -> dict[str, str]:
    try:
        known = json.loads(PROGRESS.read_text(encoding="utf-8"))
        return {str(task): str(state) for task, state in known.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember(known: dict[str, str]) -> None:
    try:
        PROGRESS.parent.mkdir(parents=True, exist_ok=True)
        PROGRESS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    except OSError:
        pass  # a kit on a read-only disk: the bar shows this run only
