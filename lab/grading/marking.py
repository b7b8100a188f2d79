"""One submission to marks: every task run in a sandbox, visible checks and hidden ones; every answer held against the
key.

A task's points are a fifth of its estimated minutes. Full points where the visible check and the hidden ones pass
(the same check with seeds that only the course's key gives, and those of ``tests/hidden``); ``VISIBLE_ONLY`` of them
where only the visible one does, which is what hard-wired answers get; otherwise none, with the story. One broken task
costs that task: the process is started anew for the next one.
"""

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from lab.checking.answers import AnswersError, read_answers
from lab.checking.child import RUNNER, Died, Failed, NotAttempted, Raised, StudentCode, TimeUp
from lab.checking.story import Wrong
from lab.checking.tasks import CHECKS, ROOT, STUBS, Student, Task, facts, load_tasks, module_name, sheet_names
from lab.grading import answer_key, recordings, sandbox
from lab.room.student import ANSWERS, PLAIN, TLS, profile, questions

HIDDEN = ROOT / "tests" / "hidden"
VISIBLE_ONLY = 0.5  # share of the points
MINUTES_PER_POINT = 5
QUESTION_POINTS = 1
CALL_S, TASK_S = 3.0, 8.0
HIDDEN_SEEDS = 1
OWN = "own capture"

DONE, PARTLY, WRONG, NOT_ATTEMPTED, MISSING = "done", "partly", "wrong", "not attempted", "missing"


@dataclass
class Mark:
    """What one task or question came to."""

    sheet: str
    task: str
    state: str
    points: float
    of: float
    why: str = ""  # one word for statistics: result, raised, time, died, file
    story: str = ""


@dataclass
class Result:
    """What one submission came to. ``fingerprint`` changes when the submission, the checks or the key do."""

    id: str
    fingerprint: str
    marks: list[Mark] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    traces: dict[str, list] = field(default_factory=dict)  # what tells its recordings from all others: see copies
    seconds: float = 0.0

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> float:
        return sum(mark.of for mark in self.marks)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict) -> "Result":
        return cls(**{**told, "marks": [Mark(**mark) for mark in told["marks"]]})


@cache
def all_tasks() -> tuple[tuple[Task, ...], dict[tuple[str, str], list[Task]], dict[str, dict]]:
    """Every task with its visible check; the hidden checks by (sheet, task); the facts by sheet."""
    visible = tuple(task for sheet in sheet_names() for task in load_tasks(sheet))
    hidden: dict[tuple[str, str], list[Task]] = {}
    for sheet in sheet_names(HIDDEN):
        for task in load_tasks(sheet, HIDDEN):
            hidden.setdefault((sheet, task.name), []).append(task)
    return visible, hidden, {sheet: facts(STUBS / f"{module_name(sheet)}.py") for sheet in sheet_names()}


@cache
def rules_fingerprint(key: str) -> str:
    """Changes when a check, a stub or the course's key does: then everything is graded again."""
    digest = hashlib.sha256(key.encode())
    for folder in (CHECKS, HIDDEN, STUBS, ROOT / "lab" / "checking", ROOT / "lab" / "grading"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def secret_seeds(key: str) -> list[int]:
    """Seeds of made-up frames that nobody without the course's key has seen."""
    dice = random.Random(hmac.new(key.encode(), b"hidden seeds", hashlib.sha256).hexdigest())
    return [dice.randrange(1 << 30, 1 << 40) for _ in range(HIDDEN_SEEDS)]


def mark(
    student_id: str, folder: Path, key: str, sandboxed: bool, fingerprint: str = "", remarks: Sequence[str] = ()
) -> Result:
    """Grade the submission unpacked in ``folder`` (see ``submissions.Submission.unpack``). Never raises for what is in
    it."""
    started = time.monotonic()
    result = Result(student_id, fingerprint, remarks=list(remarks))
    visible, hidden, known = all_tasks()
    sheets = folder / "sheets"
    sheets.mkdir(exist_ok=True)
    for sheet in dict.fromkeys(task.sheet for task in visible):
        tasks = [task for task in visible if task.sheet == sheet]
        path = sheets / f"{module_name(sheet)}.py"
        if not path.exists():
            result.marks += [
                Mark(sheet, task.name, MISSING, 0, _points(known, task), "file", f"{path.name} was not handed in")
                for task in tasks
            ]
            continue
        with _student_code(path, sandboxed) as code:
            for task in tasks:
                hidden_checks = [(task.check, seed) for seed in secret_seeds(key)]
                hidden_checks += [(one.check, secret_seeds(key)[0]) for one in hidden.get((sheet, task.name), [])]
                result.marks.append(_mark_task(task, code, hidden_checks, _points(known, task)))
    _mark_answers(result, folder, key)
    result.seconds = round(time.monotonic() - started, 2)
    return result


def _points(known: dict, task: Task) -> float:
    return known[task.sheet][task.name].minutes / MINUTES_PER_POINT


def _student_code(path: Path, sandboxed: bool) -> StudentCode:
    if not sandboxed:
        return StudentCode(path, CALL_S, sandbox.limits_only, sandbox.MEMORY_BYTES)
    inside = f"{sandbox.INSIDE_SHEETS}/{path.name}"
    hide = [ROOT]

    def command(arguments: Sequence[str]) -> list[str]:
        return sandbox.command(arguments, path.parent, RUNNER, hide)

    return StudentCode(path, CALL_S, command, sandbox.MEMORY_BYTES, inside)


def _mark_task(task: Task, code: StudentCode, hidden: list[tuple[Callable, int]], of: float) -> Mark:
    student = Student(code)
    code.allow(TASK_S)
    state, why, story = _run(task.check, student, 0)
    if state != DONE:
        if state == WRONG:
            code.close()  # what it may have left running is nobody else's trouble
        return Mark(task.sheet, task.name, state, 0, of, why, story)
    for check, seed in hidden:
        code.allow(TASK_S)
        state, why, story = _run(check, student, seed)
        if state != DONE:
            code.close()
            told = f"the visible check passes, a hidden one does not:\n{story}"
            return Mark(task.sheet, task.name, PARTLY, of * VISIBLE_ONLY, of, why, told)
    return Mark(task.sheet, task.name, DONE, of, of)


def _run(check: Callable, student: Student, seed: int) -> tuple[str, str, str]:
    """(state, why, story) of one check."""
    try:
        check(student, seed)
        return DONE, "", ""
    except NotAttempted:
        return NOT_ATTEMPTED, "", ""
    except Wrong as wrong:
        return WRONG, _why(wrong.__cause__), str(wrong)
    except Failed as failure:
        return WRONG, _why(failure), str(failure)
    except Exception as error:  # a result so odd that the check itself stumbles over it is no right one
        return WRONG, "result", f"what came back cannot be understood ({type(error).__name__}: {str(error)[:200]})"


def _why(failure: BaseException | None) -> str:
    return {TimeUp: "time", Died: "died", Raised: "raised"}.get(type(failure), "result")


def _mark_answers(result: Result, folder: Path, key: str) -> None:
    """The questions about the own capture, and what tells this capture from all others."""
    one = profile(result.id, key)
    asked = questions(one)

    def all_as(state: str, story: str) -> None:
        result.marks += [Mark(OWN, question.key, state, 0, QUESTION_POINTS, "file", story) for question in asked]

    found = recordings.examine(folder, one.id, key)
    result.traces |= found.traces
    result.remarks += found.remarks
    if not (folder / ANSWERS).exists():
        return all_as(MISSING, f"{ANSWERS} was not handed in")
    try:
        answers = read_answers(folder / ANSWERS)
    except (AnswersError, OSError) as error:
        return all_as(WRONG, f"{ANSWERS}: {error}")
    missing = [name for name in (PLAIN, TLS) if name not in found.readable]
    if missing:
        return all_as(MISSING, f"{', '.join(missing)}: not handed in, so nothing can be held against the answers")
    if problem := found.wrong_conversation:
        result.remarks.append(f"{PLAIN} is not the recording of {one.id}: {problem}")
        return all_as(WRONG, f"{PLAIN} is not your recording: {problem}")
    if found.no_key:
        result.remarks.append(f"no answer key from these recordings: {found.no_key}")
        return all_as(WRONG, f"the recordings do not hold what is asked about: {found.no_key}")
    for question in asked:
        if question.key not in answers:
            result.marks.append(Mark(OWN, question.key, NOT_ATTEMPTED, 0, QUESTION_POINTS))
        elif answer_key.is_right(answers[question.key], found.right[question.key]):
            result.marks.append(Mark(OWN, question.key, DONE, QUESTION_POINTS, QUESTION_POINTS))
        else:
            story = (
                f"{question.text}\nyour answer: {answers[question.key]!r:.100}\n"
                f"read again: {question.source}, notebook {question.notebook}"
            )
            result.marks.append(Mark(OWN, question.key, WRONG, 0, QUESTION_POINTS, "result", story))
