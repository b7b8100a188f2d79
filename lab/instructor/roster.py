"""Read a class list, and make a recording for everyone on it.

A roster is a CSV file with a heading, in UTF-8, with commas, semicolons or tabs. The IDs are in the first column that is
named like one of ``ID_COLUMNS`` (as Canvas, Moodle and Gradescope export them), in capital or small letters; names and
e-mail addresses are optional.
"""

import csv
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lab.chat.events import printable
from lab.harness.student_capture import is_complete, is_of_another_key, record_student
from lab.harness.student_profile import check_id, profile
from lab.harness.tap import RecordingError

ID_COLUMNS = ["id", "student id", "sis user id", "sis login id", "id number", "sid", "username", "login"]
EMAIL_COLUMNS = ("email", "email address", "e-mail")
ID_COLUMNS += ["student", *EMAIL_COLUMNS]
NAME_COLUMNS = ("name", "student name", "full name", "student")
PARTS_OF_NAMES = (("first name",), ("last name", "surname"))  # where no column has the whole name
NOT_STUDENTS = ("Points Possible", "Student, Test")  # lines that Canvas adds, some with an ID
DEFAULT_KEY_REMARK = (
    "the default key is in use: students can work out what is said in their recordings (see --course)"
)

Recorded = Iterator[tuple[str, BaseException | None]]


class RosterError(ValueError):
    """The class list cannot be used; the text says which line and why."""


@dataclass(frozen=True)
class Entry:
    """One student. ``row`` is the whole line, for the columns that a learning platform expects back."""

    id: str
    name: str = ""
    email: str = ""
    row: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def label(self) -> str:
        """The name, if there is one, and the ID: for people."""
        return self.name or self.id if self.name.lower() in ("", self.id) else f"{self.name} ({self.id})"


def read_roster(path: Path | str) -> list[Entry]:
    """Return the students of a roster, in its order, and print who has no ID. Raise RosterError."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            heading = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=heading.count), restval="")
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or []}
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise RosterError(f"cannot read the roster {path}: save it as CSV UTF-8") from error
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RosterError(f"cannot read the roster {path}: {reason}") from error
    id_column = next((columns[name] for name in ID_COLUMNS if name in columns), None)
    if id_column is None:
        raise RosterError(f"{path} has no column of IDs; it may be called {', '.join(map(repr, ID_COLUMNS))}")

    def first(row: dict[str, Any], names: tuple[str, ...]) -> str:
        return next((row[columns[name]].strip() for name in names if name in columns), "")

    entries: dict[str, Entry] = {}
    without: list[str] = []
    for number, row in enumerate(rows, 2):
        name, email = first(row, NAME_COLUMNS), first(row, EMAIL_COLUMNS)
        name = name or " ".join(first(row, part) for part in PARTS_OF_NAMES).strip()
        if name in NOT_STUDENTS:
            continue
        if not row[id_column].strip():
            without += [printable(one) for one in [name or email] if one]
            continue
        try:
            one = check_id(row[id_column])
        except ValueError as error:
            fix = f"change it, or add a column {ID_COLUMNS[0]!r} with other IDs, before you record"
            raise RosterError(f"{path}, line {number}: {error}; {fix}") from None
        if one in entries:
            raise RosterError(f"{path}, line {number}: the ID {one} appears twice")
        row.pop(None, None)  # cells beyond the heading
        entries[one] = Entry(one, name, email, row)
    if not entries:
        raise RosterError(f"{path} lists nobody with an ID in the column {id_column!r}")
    if without:
        print(f"{path}: left out, since {id_column!r} is empty: {', '.join(without)}", file=sys.stderr)
    return list(entries.values())


def record_here(students: list[str], jobs: int, key: str, out: Path, attack: bool) -> Recorded:
    """Record the students' conversations into folders of ``out``; yield each ID, and an exception or None."""
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="student")
    record = partial(record_student, attack=attack)
    try:
        running = {pool.submit(record, profile(one, key), out / one): one for one in students}
        for future in as_completed(running):
            yield running[future], future.exception()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # those that are running finish their files


def record_roster(
    entries: list[Entry],
    key: str,
    out: Path,
    jobs: int,
    say: Callable[[int, int, str], None],
    record: Callable[[list[str], int, str, Path, bool], Recorded] = record_here,
    attack: bool = False,
) -> dict[str, str]:
    """Record everyone who has no complete recording yet; return the reason for each that failed.

    ``say(done, total, what)`` is called after each one, from this thread. Raise RosterError where ``out`` holds recordings
    that were made with another key.
    """
    if others := [one.id for one in entries if is_of_another_key(profile(one.id, key), out / one.id)]:
        fix = "use that one with --course KEY, or another --out"
        raise RosterError(f"{out} holds recordings made with another key ({', '.join(others[:5])}): {fix}")
    waiting = [entry.id for entry in entries if not is_complete(out / entry.id, attack)]
    done, failed, started_s = len(entries) - len(waiting), {}, time.monotonic()
    say(done, len(entries), "already there" if done else "")
    for new, (student, error) in enumerate(record(waiting, jobs, key, out, attack), 1):
        left = time_left(started_s, new, len(waiting) - new)
        say(done + new, len(entries), f"{student}: {error}" if error else f"{student}{left}")
        if isinstance(error, RecordingError | OSError | ValueError):
            failed[student] = str(error)
        elif error:
            raise error
    return failed


def time_left(started_s: float, done: int, left: int) -> str:
    """Return an estimate for what is left, from the time that ``done`` have taken; nothing under a minute."""
    minutes = (time.monotonic() - started_s) / max(done, 1) * left / 60
    return f", about {minutes:.0f} min left" if done and minutes >= 1 else ""
