"""Turn a submission into marks: run every task in a sandbox, and compare every answer with the key.

The student's text is shown for visible checks only: after a hidden one it could contain the hidden inputs. So all
visible checks run first, in a process that has never seen a hidden one. The hidden checks are the same with seeds derived
from the course's key, and those in ``lab/instructor/hidden``. A task whose visible check alone passes, as for hard-wired
answers, has ``VISIBLE_ONLY`` of its points.

A student's sheets share a process, since starting one costs more than most checks: see ``attempts``.
"""

import hashlib
import hmac
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from lab.exercises.checks.answers import AnswersError, read_answers
from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import Died, Failed, NotAttempted, Raised, TimeUp
from lab.exercises.checks.story import Story, Wrong
from lab.exercises.checks.tasks import CHECKS, STUBS, facts, load_tasks, module_name, sheet_names
from lab.harness.student_capture import ANSWERS, ATTACK, PLAIN, TLS, Question, questions
from lab.harness.student_profile import profile
from lab.instructor import answer_key, recordings, sandbox, similarity
from lab.instructor.attempts import attempt
from lab.instructor.stubs import SOLUTIONS

HIDDEN = Path(__file__).with_name("hidden")
VISIBLE_ONLY = 0.5  # share of the points
MINUTES_PER_POINT = 5
QUESTION_POINTS = 1
CALL_S = 3.0
HAND_IN_S = 300.0  # no check begins later; a hand-in takes a second or two
OWN = "own capture"

DONE, PARTLY, WRONG, NOT_ATTEMPTED, MISSING = "done", "partly", "wrong", "not attempted", "missing"
STATES = (DONE, PARTLY, NOT_ATTEMPTED, MISSING, WRONG)
WHY = {"result": "a wrong result", "raised": "an exception", "time": "no end in time"}
WHY |= {"died": "the process ended", "load": "a sheet that cannot be loaded"}
WHY |= {"file": "no usable file", "grader": "the grader failed"}
REASONS: dict[type, str] = {TimeUp: "time", Died: "died", Raised: "raised"}  # any other is a wrong result


@dataclass
class Mark:
    """The result of one task or question."""

    sheet: str
    task: str
    state: str
    points: float
    of: float
    why: str = ""  # for statistics: a key of WHY
    story: str = ""


@dataclass
class Result:
    """The result of one submission. ``fingerprint`` changes with the submission and the rules."""

    id: str
    fingerprint: str
    marks: list[Mark] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    traces: dict[str, list[str]] = field(default_factory=dict)  # what identifies its recordings: see copies
    code: dict[str, list[list[int]]] = field(default_factory=dict)  # fingerprints by sheet: see similarity
    sandbox: str = ""  # which one held: a line for people
    before: float | None = None  # points before what being late costs: see course_rules
    days_late: int = 0
    deductions: list[str] = field(default_factory=list)  # a line each
    seconds: float = 0.0

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> float:
        return sum(mark.of for mark in self.marks)

    @property
    def percent(self) -> float:
        return round(100 * self.points / self.of, 1) if self.of else 0.0

    def summary(self) -> str:
        """Return one line about the submission."""
        counts = Counter(mark.state for mark in self.marks)
        states = [f"{counts[state]} {state}" for state in STATES if counts[state]]
        return ", ".join(states + self.deductions)


@dataclass
class Exercise:
    """A task to grade."""

    name: str
    points: float
    visible: Callable
    hidden: list[Callable]


@cache
def all_exercises() -> dict[str, list[Exercise]]:
    """Return the tasks of each sheet."""
    found: dict[str, list[Exercise]] = {}
    for sheet in sheet_names():
        # Not of the stub: an instructor may have worked on it.
        known = facts(SOLUTIONS / f"{module_name(sheet)}.py")
        hidden = load_tasks(sheet, HIDDEN) if sheet in sheet_names(HIDDEN) else []
        for task in load_tasks(sheet):
            points = known[task.name].minutes / MINUTES_PER_POINT
            others = [one.check for one in hidden if one.name == task.name]
            found.setdefault(sheet, []).append(Exercise(task.name, points, task.check, others))
    return found


@cache
def rules_fingerprint(key: str) -> str:
    """Return a digest that changes with the rules: then everything is graded again."""
    digest = hashlib.sha256(key.encode())
    for folder in (CHECKS, HIDDEN, SOLUTIONS, STUBS / "checks", Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def secret_seed(key: str) -> int:
    """Return the seed of made-up frames that nobody without the course's key can know."""
    dice = random.Random(hmac.new(key.encode(), b"hidden seeds", hashlib.sha256).hexdigest())
    return dice.randrange(1 << 30, 1 << 40)


def mark(
    student: str, folder: Path, key: str, way: str, fingerprint: str = "", remarks: Sequence[str] = ()
) -> Result:
    """Grade the submission unpacked in ``folder``. Nothing in it makes this raise an exception."""
    started = time.monotonic()
    result = Result(student, fingerprint, remarks=list(remarks), sandbox=sandbox.describe(way))
    (folder / "sheets").mkdir(exist_ok=True)
    command = partial(sandbox.command, way=way)
    with StudentCode(folder / "sheets" / "none.py", CALL_S, command, sandbox.MEMORY_BYTES) as code:
        code.until = started + HAND_IN_S
        for sheet, exercises in all_exercises().items():
            points = {one.name: one.points for one in exercises}
            _survive(result, sheet, points, partial(_mark_visible_tasks, sheet, code))
        if code.alone:
            code.close()  # a hidden check that failed in it would not be run again: see ``attempts``
        visible, result.marks = result.marks, []
        unloaded = dict.fromkeys(mark.sheet for mark in visible if mark.why == "load")
        result.remarks += [f"{module_name(sheet)}.py cannot be loaded" for sheet in unloaded]
        for sheet, exercises in all_exercises().items():
            points = {one.name: one.points for one in exercises}
            marks = [mark for mark in visible if mark.sheet == sheet]
            _survive(result, sheet, points, partial(_mark_hidden_tasks, marks, code, secret_seed(key)))
    asked = questions(profile(student, key), attack=(folder / ATTACK).exists())
    answer_points: dict[str, float] = {one.key: QUESTION_POINTS for one in asked}
    _survive(result, OWN, answer_points, partial(_mark_answers, result, asked, folder, key))
    read = similarity.examine_apart(folder / "sheets")
    result.code = read["fingerprints"]
    result.remarks += read["remarks"]
    result.seconds = round(time.monotonic() - started, 2)
    return result


def _survive(result: Result, sheet: str, points: dict[str, float], marks: Callable[[], list[Mark]]) -> None:
    """Add the marks; if the grader itself fails, that costs only this part of the submission."""
    try:
        result.marks += marks()
    except Exception as error:
        reason = f"the grader failed at {sheet} ({type(error).__name__}: {error!s:.200}): look at it by hand"
        result.remarks.append(reason)
        result.marks += [Mark(sheet, task, WRONG, 0, of, "grader", reason) for task, of in points.items()]


def _mark_visible_tasks(sheet: str, code: StudentCode) -> list[Mark]:
    exercises = all_exercises()[sheet]
    code.path = code.path.with_name(f"{module_name(sheet)}.py")
    if not code.path.exists():
        story = f"{code.path.name} was not handed in"
        return [Mark(sheet, one.name, MISSING, 0, one.points, "file", story) for one in exercises]
    return [_mark_visible(sheet, one, code) for one in exercises]


def _mark_hidden_tasks(marks: list[Mark], code: StudentCode, seed: int) -> list[Mark]:
    for mark in marks:
        if mark.state == DONE:
            code.path = code.path.with_name(f"{module_name(mark.sheet)}.py")
            [one] = [one for one in all_exercises()[mark.sheet] if one.name == mark.task]
            _mark_hidden(mark, [one.visible, *one.hidden], code, seed)
    return marks


def _mark_visible(sheet: str, one: Exercise, code: StudentCode) -> Mark:
    state, why, failure = _run(one.visible, code, 0)
    if isinstance(failure, Wrong):
        story = failure.story.text(width=0)
    elif failure is None or isinstance(failure, Failed):
        story = str(failure or "")
    else:  # a result that makes the check itself fail is not right
        story = f"the result cannot be understood ({type(failure).__name__}: {failure!s:.200})"
    return Mark(sheet, one.name, state, one.points if state == DONE else 0, one.points, why, story)


def _mark_hidden(mark: Mark, checks: Sequence[Callable], code: StudentCode, seed: int) -> None:
    """Run the hidden checks; if one fails, ``mark`` becomes "partly" and says why, in the kit's words only."""
    for check in checks:
        state, why, failure = _run(check, code, seed)
        if state != DONE:
            rule = failure.story.rule if isinstance(failure, Wrong) else ""
            reason = WHY.get(why, WHY["raised"])
            story = Story(mark.task, "what only the grader knows", reason, rule).text(width=0)
            mark.state, mark.points, mark.why = PARTLY, mark.of * VISIBLE_ONLY, why
            mark.story = f"the visible check passes, a hidden one does not:\n{story}"
            return


def _run(check: Callable, code: StudentCode, seed: int) -> tuple[str, str, Exception | None]:
    """Run one check; return the state, the reason (a key of WHY), and what was raised."""
    error = attempt(check, code, seed)
    if error is None:
        return DONE, "", None
    if isinstance(error, NotAttempted):
        return NOT_ATTEMPTED, "", None
    cause = error.__cause__ if isinstance(error, Wrong) else error
    if isinstance(cause, Failed) and cause.loading:
        return WRONG, "load", error
    return WRONG, REASONS.get(type(cause), "result"), error


def _mark_answers(result: Result, asked: list[Question], folder: Path, key: str) -> list[Mark]:
    """Mark the questions about the student's capture; add to ``result`` what was found out about it."""

    def all_as(state: str, story: str) -> list[Mark]:
        return [Mark(OWN, question.key, state, 0, QUESTION_POINTS, "file", story) for question in asked]

    found = recordings.examine_apart(folder, result.id, key)
    result.traces |= found.traces
    result.remarks += found.remarks
    if problem := found.wrong_conversation:
        result.remarks.append(f"{PLAIN} is not the recording of {result.id}: {problem}")
    if not (folder / ANSWERS).exists():
        return all_as(MISSING, f"{ANSWERS} was not handed in")
    try:
        answers = read_answers(folder / ANSWERS)
    except (AnswersError, OSError) as error:
        result.remarks.append(f"{ANSWERS}: {error}")
        return all_as(WRONG, result.remarks[-1])
    for name in (PLAIN, TLS):
        if not (folder / name).exists():
            return all_as(MISSING, f"{name} was not handed in, so the answers cannot be checked")
        if name not in found.readable:
            return all_as(WRONG, f"{name} cannot be read, so the answers cannot be checked")
    if problem:
        return all_as(WRONG, f"{PLAIN} is not your recording: {problem}")
    if found.no_key:
        result.remarks.append(f"no answer key from these recordings: {found.no_key}")
        return all_as(WRONG, f"the recordings do not hold what is asked about: {found.no_key}")
    if found.no_attack:
        result.remarks.append(f"no answers about the attack: {found.no_attack}")
    why = found.no_attack or f"{ATTACK} cannot be read"  # where the key lacks a question
    return [_mark_answer(question, answers, found.right, why) for question in asked]


def _mark_answer(
    question: Question, answers: dict[str, Any], right: dict[str, list[Any]], no_key: str
) -> Mark:
    if question.key not in right:
        return Mark(OWN, question.key, WRONG, 0, QUESTION_POINTS, "file", no_key)
    if question.key not in answers:
        return Mark(OWN, question.key, NOT_ATTEMPTED, 0, QUESTION_POINTS)
    if answer_key.is_right(answers[question.key], right[question.key]):
        return Mark(OWN, question.key, DONE, QUESTION_POINTS, QUESTION_POINTS)
    read_again = f"read again: {question.source}, notebook {question.notebook}"
    story = f"{question.text}\nyour answer: {answers[question.key]!r:.100}\n{read_again}"
    return Mark(OWN, question.key, WRONG, 0, QUESTION_POINTS, "result", story)
