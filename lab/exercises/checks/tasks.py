"""Find the sheets and their tasks, and give a check access to the student's code through ``Student``.

A sheet ``NN_topic`` is a test file ``tests/exercises/test_NN_topic.py`` and a solution
``lab/instructor/solutions/sheet_NN_topic.py``, from which the stub ``lab/exercises/sheet_NN_topic.py`` is generated.
Each function of the test file that is marked with ``@task("function")`` is a task: it takes a ``Student`` and
a seed, and raises ``story.Wrong``. pytest runs it as a test, the grader as a check. The docstring of the
student's function states the time, source and notebook of the task:

    Time: 15 minutes. Source: RFC 9293 section 3.1. Notebook: 02_handshake.
"""

import ast
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab.exercises.checks.child import Calls, StudentCode
from lab.exercises.checks.failures import Failed, NotAttempted
from lab.exercises.checks.runner import load
from lab.exercises.checks.story import Difference, Story, Wrong, difference, show_call
from lab.exercises.checks.traffic import Case
from lab.setup.paths import ROOT

CHECKS = ROOT / "tests" / "exercises"
STUBS = ROOT / "lab" / "exercises"
CALLS_WORTH = 3  # all calls of a task together get no more time than a few single ones
KEPT_CASES = ROOT / "captures" / "mine" / "check"
FACTS = re.compile(r"Time: (\d+) minutes\. Source: (.+?)\. Notebook: (\w+)\.")
Rules = Mapping[str, str]
Steps = Sequence[str]
Check = TypeVar("Check", bound=Callable[..., None])
Frame = int | Callable[[Difference], int | None] | None  # a frame's number, or how to find it


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
    """What a task's docstring states."""

    minutes: int
    source: str
    notebook: str


def task(name: str) -> Callable[[Check], Check]:
    """Mark a test function as the check of the student's function (or class) ``name``."""

    def mark(function: Check) -> Check:
        function.task_name = name  # type: ignore[attr-defined]  # read by load_tasks
        return function

    return mark


def sheet_names(folder: Path = CHECKS) -> list[str]:
    return sorted(path.stem.removeprefix("test_") for path in folder.glob("test_[0-9][0-9]_*.py"))


def module_name(sheet: str) -> str:
    return f"sheet_{sheet}"


def load_tasks(sheet: str, folder: Path = CHECKS) -> list[Task]:
    """Return the tasks of one sheet, in the order of the file."""
    name = f"lab_checks_{folder.name}_{sheet}"
    module = load(str(folder / f"test_{sheet}.py"), name)
    marked = [one for one in vars(module).values() if getattr(one, "task_name", None)]
    return [Task(sheet, one.task_name, one) for one in marked if one.__module__ == name]


def facts(path: Path) -> dict[str, Facts]:
    """Return what the docstrings of a sheet's functions and classes state."""
    found = {}
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node in (node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))):
        if match := FACTS.search(" ".join((ast.get_docstring(node) or "").split())):
            found[node.name] = Facts(int(match[1]), match[2], match[3])
    return found


class Student:
    """One student's sheet as a check sees it. ``keep_cases`` saves the made-up capture of a failure.

    ``about`` is what the story of a failure needs (``given``, ``steps``), and ``case``, the frames it is about.
    ``rules`` has a rule for each field, and under "" the one for everything else.
    """

    def __init__(self, code: StudentCode, keep_cases: bool = False):
        self.code, self.keep_cases = code, keep_cases
        self._arguments: Sequence[Any] | None = None  # of the last call

    def call(self, function: str, *arguments: Any, case: Case | None = None, **about: Any) -> Any:
        """Return the result of the student's function. Raises NotAttempted, or Wrong if it has none."""
        self._arguments = arguments
        ask = functools.partial(self.code.call, function, *arguments)
        return self._attempt(ask, Story(function, came_back="", **about), case)

    def session(
        self, cls: str, arguments: Sequence[Any], calls: Calls, given: str, rule: str, steps: Steps = ()
    ) -> list[Any]:
        """Return the results of calls to a class's methods, in order; the last may be a ``failures.Raised``."""
        self._arguments = None  # the story's steps show the calls
        ask = functools.partial(self.code.session, cls, arguments, calls)
        return self._attempt(ask, Story(cls, given, "", rule, steps), None)

    def _attempt(self, ask: Callable[[], Any], story: Story, case: Case | None) -> Any:
        try:
            return ask()
        except NotAttempted:
            raise
        except Failed as failure:
            if failure.loading:  # one story for the whole sheet
                raise Wrong(Story(self.code.path.name, "", str(failure), "")) from failure
            story.came_back = str(failure)
            raise self._wrong(story, case) from failure

    def expect(
        self, function: str, *arguments: Any, right: Any, rules: Rules, frame: Frame = None, **about: Any
    ) -> None:
        """Call and compare."""
        known = frame if isinstance(frame, int) else None
        got = self.call(function, *arguments, rule=rules[""], frame=known, **about)
        self.compare(function, right, got, rules=rules, frame=frame, **about)

    def compare(
        self,
        function: str,
        right: Any,
        got: Any,
        given: str,
        rules: Rules,
        case: Case | None = None,
        frame: Frame = None,
        steps: Steps = (),
    ) -> None:
        """Raise Wrong with a story if ``got`` differs from ``right``."""
        if found := difference(right, got):
            number = frame(found) if callable(frame) else frame
            rule = rules.get(found.field) or rules[""]
            story = Story(function, given, str(found), rule, steps, number)
            raise self._wrong(story, case, found.right, found.got)

    def _wrong(self, story: Story, case: Case | None, right: Any = None, got: Any = None) -> Wrong:
        """Return the error with this story; add where to look in Wireshark, or the call if there is no capture."""
        if story.frame is not None:
            story.filter = f"frame.number == {story.frame}"
        if case:
            story.file = self._file_of(case, story.task)
        elif self._arguments is not None:
            story.call = show_call(story.task, self._arguments)
        return Wrong(story, right, got)

    def _file_of(self, case: Case, function: str) -> str:
        """Return the capture to open for this case; save it if it is made up."""
        path = case.path or KEPT_CASES / f"{function}.pcapng"
        if not case.path:
            if not self.keep_cases:
                return ""
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(case.data)
            except OSError:
                return ""  # the kit is on a read-only disk: the story names no capture
        return path.relative_to(ROOT).as_posix()
