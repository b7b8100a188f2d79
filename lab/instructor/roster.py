"""Read a class list, and make a recording for everyone on it.

A roster is a CSV file with a heading. The IDs are in the first column that is named like one of ``ID_COLUMNS`` (as
Canvas, Moodle and Gradescope export them), in capital or small letters; names and e-mail addresses are optional.
"""

import csv
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.harness.student_capture import check_id, is_complete, profile, record_student
from lab.harness.tap import RecordingError

ID_COLUMNS = ["id", "student id", "sis user id", "sis login id", "id number", "sid", "username", "login"]
ID_COLUMNS += ["student"]
NAME_COLUMNS = ("name", "student name", "full name", "student")
EMAIL_COLUMNS = ("email", "email address", "e-mail")


class RosterError(ValueError):
    """The class list cannot be used; the text says which line and why."""


@dataclass(frozen=True)
class Entry:
    """One student. ``row`` is the whole line, for the columns that a learning platform expects back."""

    id: str
    name: str = ""
    email: str = ""
    row: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)


def read_roster(path: Path | str) -> list[Entry]:
    """Return the students of a roster, in its order. Raise RosterError."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or []}
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RosterError(f"cannot read the roster {path}: {reason}") from error
    id_column = next((columns[name] for name in ID_COLUMNS if name in columns), None)
    if id_column is None:
        names = ", ".join(map(repr, ID_COLUMNS[:4]))
        raise RosterError(f"{path} has no column of IDs: name one {names}")

    def first(row: dict[str, Any], names: tuple[str, ...]) -> str:
        return next(((row[columns[name]] or "").strip() for name in names if name in columns), "")

    entries: dict[str, Entry] = {}
    for number, row in enumerate(rows, 2):
        if not (text := (row[id_column] or "").strip()):
            continue  # Canvas exports a line of "points possible" without an ID
        try:
            one = check_id(text)
        except ValueError as error:
            raise RosterError(f"{path}, line {number}: {error}") from None
        if one in entries:
            raise RosterError(f"{path}, line {number}: the ID {one} appears twice")
        entries[one] = Entry(one, first(row, NAME_COLUMNS), first(row, EMAIL_COLUMNS), row)
    if not entries:
        raise RosterError(f"{path} lists nobody")
    return list(entries.values())


def record_roster(
    entries: list[Entry], key: str, out: Path, jobs: int, say: Callable[[int, int, str], None]
) -> dict[str, str]:
    """Record everyone who has no complete recording yet; return the reason for each that failed.

    ``say(done, total, what)`` is called after each one, from this thread.
    """
    waiting = [entry for entry in entries if not is_complete(out / entry.id)]
    done, failed = len(entries) - len(waiting), {}
    say(done, len(entries), "already there" if done else "")
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="student")
    try:
        running = {pool.submit(record_student, profile(one.id, key), out / one.id): one for one in waiting}
        for future in as_completed(running):
            entry, done = running[future], done + 1
            try:
                future.result()
                say(done, len(entries), entry.id)
            except (RecordingError, OSError, ValueError) as error:
                failed[entry.id] = str(error)
                say(done, len(entries), f"{entry.id}: {error}")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # those that are running finish their files
    return failed


def print_bar(done: int, total: int, what: str) -> None:
    """Print a bar that grows in place on a terminal, and a line each time elsewhere."""
    filled = 30 * done // max(total, 1)
    line = f"[{'#' * filled}{'.' * (30 - filled)}] {done} of {total}  {what}"
    live = sys.stdout.isatty()
    print(f"\r\x1b[K{line[:110]}" if live else line, end="" if live and done < total else "\n", flush=True)
