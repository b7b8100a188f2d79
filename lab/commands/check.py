"""``python3 lab check [SHEET ...]``: check your own exercises, a line a task, and a story for each wrong one.

``pytest tests/exercises`` runs the same checks. In a notebook, ``lab.exercises.check("02")`` does what this command does.
The bar counts the whole course: for sheets that are not checked now, the last results are read from
``captures/mine/progress.json``, which may be deleted.
"""

import contextlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from lab.commands import command_line, refuse
from lab.setup.paths import ROOT

if TYPE_CHECKING:
    from lab.exercises.checks.tasks import Facts, Student, Task

PROGRESS = ROOT / "captures" / "mine" / "progress.json"
DONE, WRONG, NOT_ATTEMPTED, BROKEN, MISSING = "done", "wrong", "not attempted", "cannot be checked", "missing"
BAR = 30  # characters
CALL_S = 10.0


def main(argv: list[str] | None = None) -> int:
    from lab.exercises.checks.tasks import STUBS, load_tasks, sheet_names

    parser = command_line("check", "Check your own exercises, in lab/exercises.")
    add, seconds = parser.add_argument, "for one call (default: %(default)s s)"
    add("sheet", nargs="*", help="02, handshake or 02_handshake; without one, all of them")
    add("--sheets", type=Path, metavar="DIR", help="check the sheets in this folder instead")
    add("--time-limit", type=float, default=CALL_S, metavar="S", help=seconds)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", RuntimeWarning)  # numbers that wrap around do so in numpy's scalars too
    try:
        chosen = [_find_sheet(word, sheet_names()) for word in options.sheet] or sheet_names()
        tasks = {sheet: load_tasks(sheet) for sheet in sheet_names()}
    except ValueError as error:
        return refuse("check", error)
    except OSError as error:
        return refuse("check", f"the checks could not be run: {error}; is the kit complete?")
    states: dict[str, str] = {}
    stories: list[str] = []
    for sheet in chosen:
        print(f"\n{sheet}", flush=True)
        states |= _check_sheet(tasks[sheet], options.sheets or STUBS, options.time_limit, stories)
    print(*(f"\n{story}" for story in stories), sep="\n", end="\n" if stories else "")
    known = states
    if options.sheets is None:  # earlier results count too, and these are kept
        known = _remember(states)
        print_answers()
    total = sum(map(len, tasks.values()))
    done = sum(known.get(task.id) == DONE for of_sheet in tasks.values() for task in of_sheet)
    filled = BAR * done // max(total, 1)
    print(f"\ncourse  [{'#' * filled}{'.' * (BAR - filled)}]  {done} of {total} tasks done")
    return 1 if {WRONG, BROKEN, MISSING} & set(states.values()) else 0


def _find_sheet(word: str, names: list[str]) -> str:
    number = word.zfill(2) if word.isdigit() else word
    for name in names:
        if word == name or number == name[:2] or word == name[3:]:
            return name
    raise ValueError(f"unknown sheet {word!r}: choose from {', '.join(names)}")


def _check_sheet(tasks: "list[Task]", folder: Path, time_s: float, stories: list[str]) -> dict[str, str]:
    """Print a line for each task of a sheet; return what it came to by id, and add to the stories."""
    from lab.exercises.checks.child import StudentCode
    from lab.exercises.checks.tasks import CALLS_WORTH, Student, module_name

    sheet = module_name(tasks[0].sheet)
    if not (folder / f"{sheet}.py").exists():
        print(*(f"  {MISSING:<14} {task.name}" for task in tasks), sep="\n")
        again = "unpack it anew from the students' copy (instructors: python3 lab stubs)"
        stories.append(f"{sheet}.py is not in {folder}: {again}")
        return dict.fromkeys((task.id for task in tasks), MISSING)
    facts, states = _facts_of(sheet), {}
    with StudentCode(folder / f"{sheet}.py", time_s) as code:
        student = Student(code, keep_cases=True)
        for task in tasks:
            code.allow(CALLS_WORTH * time_s)
            states[task.id], story = _attempt(task, student)
            if story and story not in stories:  # one story for all tasks where the sheet cannot be loaded
                stories.append(story)
            known = facts.get(task.name)
            about = f"{known.minutes:>3} min  {known.source}" if known else ""
            print(f"  {states[task.id]:<14} {task.name:<22} {about}".rstrip(), flush=True)
    return states


def _attempt(task: "Task", student: "Student") -> tuple[str, str]:
    """Check one task; return what it came to, and its story."""
    from lab.exercises.checks.failures import NotAttempted
    from lab.exercises.checks.story import Wrong

    try:
        task.check(student, 0)
    except NotAttempted:
        return NOT_ATTEMPTED, ""
    except Wrong as wrong:
        return WRONG, str(wrong)
    except Exception as error:  # a result that the check itself cannot take
        return BROKEN, f"{task.name}: {type(error).__name__}: {error}"
    return DONE, ""


def _facts_of(sheet: str) -> "dict[str, Facts]":
    """Return what the student's sheet says about its tasks; nothing if it cannot be read (each task reports that)."""
    from lab.exercises.checks.tasks import STUBS, facts

    try:
        return facts(STUBS / f"{sheet}.py")
    except (OSError, SyntaxError, ValueError):
        return {}


def print_answers() -> None:
    """Print a line for each of your answers.toml: whether it can be read, and what cannot be an answer."""
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
