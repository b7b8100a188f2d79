"""Apply a course's rules to results: what each sheet weighs, when it was due, and what a late day costs.

``course.toml``; every line can be left out::

    due = 2026-12-01T23:59:00+01:00    # with its distance from UTC
    percent_a_day = 10                 # taken off for each day that has begun since
    days_at_most = 5                   # later than that, there are no points
    attack = true                      # everyone was given an attack.pcapng: to leave it out costs its points

    [weights]                          # a sheet's points are multiplied by this; 0 leaves it out
    02_handshake = 2

    [dates]                            # of sheets that were due on another day
    03_psh_and_payloads = 2026-12-08T23:59:00+01:00
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from lab.harness.student_capture import ATTACK
from lab.harness.student_profile import TEXTS
from lab.instructor.marking import MISSING, OWN, QUESTION_POINTS, Mark, Result, all_exercises

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib  # type: ignore[no-redef, import-not-found, unused-ignore]

LARGEST_FILE = 1 << 16  # bytes
DATE = "2026-12-01T23:59:00+01:00"  # an example
ONE_DAY = timedelta(days=1)
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
        table: dict[str, Any] = tomllib.loads(data.decode())
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        example = f" (a date is written as {DATE})" if "Invalid value" in str(error) else ""
        raise RulesError(f"{path}: {getattr(error, 'strerror', None) or error}{example}") from error
    known = CourseRules.__dataclass_fields__
    wrong = [f"{name} is not a rule; there are {', '.join(known)}" for name in table if name not in known]
    sheets = [*all_exercises(), OWN]
    for name in ("percent_a_day", "days_at_most", "due"):
        wrong += _faults(name, table.get(name, CourseRules().due if name == "due" else 0))
    if not isinstance(table.get("attack", False), bool):
        wrong.append(f"attack must be true or false, not {table['attack']!s:.40}")
    for name in ("weights", "dates"):
        part = table.get(name, {})
        if not isinstance(part, dict):
            wrong.append(f"{name} must be a table, [{name}]")
            continue
        for sheet, value in part.items():
            if sheet not in sheets:
                wrong.append(f"[{name}] {sheet} is not a sheet; there are {', '.join(sheets)}")
            wrong += _faults(f"[{name}] {sheet}", value, date=name == "dates")
    if wrong:
        raise RulesError(f"{path}: {wrong[0]}")
    return CourseRules(**table)


def _faults(name: str, value: object, date: bool = False) -> list[str]:
    """Return what is wrong with the value of a rule."""
    if date or name == "due":
        good = value is None or isinstance(value, datetime) and value.tzinfo is not None
        return [] if good else [f"{name} must be like {DATE}, not {value!s:.40}"]
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000
    return [] if good else [f"{name} must be a number from 0 to 1000, not {value!s:.40}"]


def days_late(due: datetime | None, handed_in: datetime | None, marked_late: bool) -> int:
    """Return the days that had begun since ``due``; one where the platform says late, and not how much."""
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
    late = ((sheet, _late(rules, sheet, handed_in, marked_late)) for sheet in _sheets(result))
    for days, group in groupby(sorted((days, sheet) for sheet, days in late if days), lambda one: one[0]):
        sheets = [sheet for _, sheet in group]
        share = 1.0 if days > rules.days_at_most else min(1.0, days * rules.percent_a_day / 100)
        for mark in result.marks:
            if mark.sheet in sheets:
                mark.points *= 1 - share
        whole = "everything" if len(sheets) == len(_sheets(result)) else ", ".join(sheets)
        plural = "day" if days == 1 else "days"
        result.deductions.append(f"{days} {plural} late: {100 * share:g} % off {whole}")
        result.days_late = max(result.days_late, days)


def _late(rules: CourseRules, sheet: str, handed_in: datetime | None, marked_late: bool) -> int:
    return days_late(rules.dates.get(sheet, rules.due), handed_in, marked_late)


def _sheets(result: Result) -> list[str]:
    return [*dict.fromkeys(mark.sheet for mark in result.marks)]
