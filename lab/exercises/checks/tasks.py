"""Find the sheets and their tasks, and give a check access to the student's code through ``Student``.

A sheet ``NN_topic`` is a test file ``tests/exercises/test_NN_topic.py`` and a solution
``lab/instructor/solutions/sheet_NN_topic.py``, from which the stub ``lab/exercises/sheet_NN_topic.py`` is generated.
Each function of the test file that is marked with ``@task("function")`` is a task: it takes a ``Student`` and
a seed, and raises ``story.Wrong``. pytest runs it as a test, the grader as a check. The docstring of the
student's function states the time, source and notebook of the task:

    Time: 15 minutes. Source: RFC 9293 section 3.1. Notebook: 02_handshake.
"""

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.exercises.checks.child import Failed, NotAttempted, StudentCode
from lab.exercises.checks.story import Difference, Story, Wrong, difference
from lab.exercises.checks.traffic import Case
from lab.setup.paths import ROOT

CHECKS = ROOT / "tests" / "exercises"
STUBS = ROOT / "lab" / "exercises"
KEPT_CASES = ROOT / "captures" / "mine" / "check"
FACTS = re.compile(
    r"Time: (?P<minutes>\d+) minutes\. Source: (?P<source>.+?)\. Notebook: (?P<notebook>\w+)\.", re.DOTALL
)
MOST_TASKS = 4  # in a sheet: as many as fit into a session


@dataclass(frozen=True)
class Task:
    """One function to write, and its check."""

    sheet: str  # "02_handshake"
    name: str
    check: Callable[["Student", int], None]

    @property
    def id(self) -> str:
        return f"{self.sheet}.{self.name}"


@dataclass(frozen=True)
class Facts:
    """The facts about a task that its docstring states."""

    minutes: int
    source: str
    notebook: str


def task(name: str):
    """Mark a test function as the check of the student's function (or class) ``name``."""

    def mark(function):
        function.task_name = name
        return function

    return mark


def sheet_names(folder: Path = CHECKS) -> list[str]:
    return sorted(path.stem.removeprefix("test_") for path in folder.glob("test_[0-9][0-9]_*.py"))


def module_name(sheet: str) -> str:
    return f"sheet_{sheet}"


def load_tasks(sheet: str, folder: Path = CHECKS) -> list[Task]:
    """Return the tasks of one sheet, in the order of the file."""
    path = folder / f"test_{sheet}.py"
    name = f"lab_checks_{folder.name}_{sheet}"
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    marked = [
        value for value in vars(module).values() if hasattr(value, "task_name") and value.__module__ == name
    ]
    return [Task(sheet, function.task_name, function) for function in marked]


def facts(path: Path) -> dict[str, Facts]:
    """Return the facts that the docstrings of a sheet's functions and classes state."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        text = (isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node)) or ""
        if match := FACTS.search(" ".join(text.split())):
            found[node.name] = Facts(int(match["minutes"]), match["source"], match["notebook"])
    return found


class Student:
    """One student's sheet as a check sees it. ``keep_cases`` saves the made-up capture of a failure."""

    def __init__(self, code: StudentCode, keep_cases: bool = False):
        self.code, self.keep_cases = code, keep_cases

    def call(
        self,
        function: str,
        *arguments,
        given: str,
        rule: str,
        case: Case | None = None,
        frame=None,
        filter="",
        steps=(),
    ):
        """Return the result of the student's function. Raises NotAttempted, or Wrong if it has none."""
        return self._attempt(
            lambda: self.code.call(function, *arguments), function, given, rule, case, frame, filter, steps
        )

    def session(
        self, cls: str, arguments: Sequence, calls: Sequence, given: str, rule: str, steps=()
    ) -> list:
        """Return the results of calls to a class's methods, in order; the last may be a ``child.Raised``."""
        return self._attempt(
            lambda: self.code.session(cls, arguments, calls), cls, given, rule, None, None, "", steps
        )

    def _attempt(self, ask, function, given, rule, case, frame, filter, steps):
        try:
            return ask()
        except NotAttempted:
            raise
        except Failed as failure:
            if failure.loading:  # one story for the whole sheet
                raise Wrong(Story(self.code.path.name, "", str(failure), "")) from failure
            story = Story(
                function, given, str(failure), rule, list(steps), frame, filter, self.file(case, function)
            )
            raise Wrong(story) from failure

    def expect(
        self,
        function: str,
        *arguments,
        right,
        given: str,
        rules: Mapping[str, str],
        case: Case | None = None,
        frame: int | Callable[[Difference], int | None] | None = None,
        steps: Sequence[str] = (),
    ) -> None:
        """Call and compare. ``rules`` has a rule for each field, and under "" the one for everything else."""
        at_once = frame if isinstance(frame, int) else None
        got = self.call(
            function,
            *arguments,
            given=given,
            rule=rules[""],
            case=case,
            frame=at_once,
            filter=_filter(at_once),
            steps=steps,
        )
        self.compare(function, right, got, given, rules, case, frame, steps)

    def compare(self, function, right, got, given, rules, case=None, frame=None, steps=()) -> None:
        """Raise Wrong with a story if ``got`` differs from ``right``."""
        found = difference(right, got)
        if found is None:
            return
        number = frame(found) if callable(frame) else frame
        rule = rules.get(found.field) or rules[""]
        story = Story(
            function, given, str(found), rule, list(steps), number, _filter(number), self.file(case, function)
        )
        raise Wrong(story, found.right, found.got)

    def file(self, case: Case | None, function: str) -> str:
        """Return the capture to open for this case; save it if it is made up."""
        if case is None:
            return ""
        if case.path:
            return case.path.relative_to(ROOT).as_posix()
        if not self.keep_cases:
            return ""
        path = KEPT_CASES / f"{function}.pcapng"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(case.data)
        except OSError:
            return ""  # the kit is on a read-only disk: the story names no capture
        return path.relative_to(ROOT).as_posix()


def _filter(number: int | None) -> str:
    return f"frame.number == {number}" if number is not None else ""
