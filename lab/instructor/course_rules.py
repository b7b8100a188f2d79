"""Apply a course's rules to results: what each sheet weighs, when it was due, and what a late day costs.

``course.toml``; every line can be left out::

    due = 2026-12-01T23:59:00+01:00    # with its distance from UTC
    percent_a_day = 10                 # taken off for each day that has begun since
    days_at_most = 5                   # later than that, there are no points
    attack = true                      # everyone was given an attack.pcapng: to leave it out costs its points

    [weights]                          # a sheet's points are multiplied by this; 0: not counted
    02_handshake = 2
    "own capture" = 0.5

    [dates]                            # of sheets that were due on another day
    03_psh_and_payloads = 2026-12-08T23:59:00+01:00
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lab.dissect.text import counted
from lab.harness.student_capture import ATTACK
from lab.harness.student_profile import TEXTS
from lab.instructor.marking import MISSING, OWN, QUESTION_POINTS, Mark, Result, all_exercises

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib  # type: ignore[no-redef, import-not-found, unused-ignore]

LARGEST_FILE = 1 << 16  # bytes
DATE = "2026-12-01T23:59:00+01:00"  # an example
PERHAPS_A_DATE = ("Invalid value", "Invalid date", "Expected newline")  # what tomllib says of a mistyped one
RULES = {"due": datetime, "percent_a_day": float, "days_at_most": float, "attack": bool}
RULES |= {"weights": float, "dates": datetime}  # of each sheet
ONE_DAY = timedelta(days=1)
MOST_NAMED = 5  # students, in one line
ATTACK_QUESTIONS = [question["key"] for question in TEXTS["questions"] if question["file"] == ATTACK]


class RulesError(ValueError):
    """The table cannot be used; the text says where and why."""


@dataclass(frozen=True)
class CourseRules:
    due: datetime | None = None
    percent_a_day: float = 0
    days_at_most: float = 365
    weights: dict[str, float] = field(default_factory=dict)
    dates: dict[str, datetime] = field(default_factory=dict)
    attack: bool = False


def read_rules(path: Path) -> CourseRules:
    """Return the rules in a ``course.toml``. Raise RulesError."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise ValueError(f"larger than {LARGEST_FILE >> 10} kB")
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8-sig"))
        _check(table)
        return CourseRules(**table)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: from _check, and tomllib's own
        mistyped = any(fault in str(error) for fault in PERHAPS_A_DATE)
        example = f" (a date is written as {DATE})" if mistyped else ""
        raise RulesError(f"{path}: {getattr(error, 'strerror', None) or error}{example}") from error


def _check(table: dict[str, Any]) -> None:
    """Raise ValueError for a rule that is not one, or cannot have its value."""
    sheets = [*all_exercises(), OWN]
    for name, value in table.items():
        if name not in RULES:
            raise ValueError(f"{name} is not a rule; there are {', '.join(RULES)}")
        if name not in ("weights", "dates"):
            _check_value(name, RULES[name], value)
            continue
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be a table, [{name}]")
        for sheet, one in value.items():
            if sheet in RULES:
                raise ValueError(f"{sheet} stands below [{name}]: put it above")
            if sheet not in sheets:
                raise ValueError(f"[{name}] {sheet} is not a sheet; there are {', '.join(sheets)}")
            _check_value(f"[{name}] {sheet}", RULES[name], one)


def _check_value(name: str, kind: type, value: object) -> None:
    if kind is datetime:
        good, what = isinstance(value, datetime) and value.tzinfo is not None, f"like {DATE}"
    elif kind is bool:
        good, what = isinstance(value, bool), "true or false"
    else:
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000
        what = "a number from 0 to 1000"
    if isinstance(value, str):
        raise ValueError(f"{name} must be {what}, without quotes, not {value!r:.40}")
    if not good:
        raise ValueError(f"{name} must be {what}, not {value!s:.40}")


def days_late(due: datetime | None, handed_in: datetime | None, marked_late: bool) -> int:
    """Return the days that had begun since ``due``; one if the platform marks the hand-in as late, without a time."""
    if due is None or handed_in is None:
        return int(marked_late)
    if handed_in.tzinfo is None:  # platforms export their own local time
        handed_in = handed_in.replace(tzinfo=due.tzinfo)
    return max(0, -((due - handed_in) // ONE_DAY))


def apply(rules: CourseRules, result: Result, handed_in: datetime | None, marked_late: bool) -> None:
    """Weigh the marks of a result, take off what being late costs, and note in ``result`` what was done."""
    asked = {mark.task for mark in result.marks}
    if rules.attack and not asked & set(ATTACK_QUESTIONS):
        missing = (MISSING, 0, QUESTION_POINTS, "file", f"{ATTACK} was not handed in")
        result.marks += [Mark(OWN, task, *missing) for task in ATTACK_QUESTIONS]
    for mark in result.marks:
        weight = rules.weights.get(mark.sheet, 1)
        mark.points, mark.of = mark.points * weight, mark.of * weight
    result.before = result.points
    sheets = list(dict.fromkeys(mark.sheet for mark in result.marks if mark.of))
    late: dict[int, list[str]] = defaultdict(list)
    for sheet in sheets:
        if days := days_late(rules.dates.get(sheet, rules.due), handed_in, marked_late):
            late[days].append(sheet)
    for days, those in sorted(late.items()):
        share = 1.0 if days > rules.days_at_most else min(1.0, days * rules.percent_a_day / 100)
        for mark in result.marks:
            if mark.sheet in those:
                mark.points *= 1 - share
        others = [sheet for sheet in sheets if sheet not in those]
        what = ", ".join(those)
        if len(those) > len(others):
            what = "everything" + (f" but {', '.join(others)}" if others else "")
        result.deductions.append(f"{counted(days, 'day')} late: {100 * share:g} % off {what}")
        result.days_late = days


def name_some(students: list[str]) -> str:
    """Return the first few students, and how many others there are."""
    others = students[MOST_NAMED:]
    return ", ".join(students[:MOST_NAMED]) + (f" and {counted(len(others), 'other')}" if others else "")
