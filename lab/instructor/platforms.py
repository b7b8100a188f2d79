"""The names that learning platforms use in what they export, and what they take back.

A name begins with the platform's own IDs, which are in the class list that it exports, too::

    Canvas      NAME[_late]_USER_FILE_own-name.zip       the column ID holds USER
    Moodle      Full name_NUMBER_assignsubmission_file/  the column Identifier holds "Participant NUMBER"
    Gradescope  submission_NUMBER/                       the column Submission ID holds NUMBER

``_onlinetext`` instead of ``_file``: a text that the student typed into Moodle. Versions before 4.1 end the folder's name
with ``_``, and without folders a file's own name follows there.

Sources: Canvas's ``Assignment#infer_comment_context_from_filename`` reads feedback back by USER and FILE; Moodle's
``mod/assign/feedback/file/importziplib.php`` by NUMBER, and ``feedback/offline/importgradeslib.php`` takes grades from its
worksheet by the columns Identifier, Grade, and Last modified (grade).
"""

import contextlib
import functools
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path, PurePosixPath

from lab.instructor.roster import Entry, RosterError

CANVAS = re.compile(r"(?P<owner>[^_]+(?P<late>_late)?_(?P<id>\d+)_)\d+_", re.IGNORECASE)
UPLOADED_AGAIN = re.compile(r"-\d+(?=\.\w+$)")  # what Canvas adds to the name of a file that it had before
NUMBERED = re.compile(r" ?\(\d{1,3}\)(?=\.\w+$)")  # what a browser adds to the name of a second download
MOODLE = re.compile(r"[^_]+_(?P<id>\d+)_assignsubmission_(file|(?P<text>onlinetext))_?")
LONGEST_NAME = 255  # characters, as in file systems; matching takes cubic time
MOST_HOLDERS = 100  # folders and zips in a hand-in whose names are compared with the class list
GRADESCOPE = re.compile(r"submission_(?P<id>\d+)$")
NUMBER_COLUMNS = {CANVAS: "ID", MOODLE: "Identifier", GRADESCOPE: "Submission ID"}
Number = tuple[str, str]  # a column, and what stands in it
SUBMITTED_COLUMNS = ("Last modified (submission)", "Submission Time", "Submitted at")
TIMES = (
    "%A, %d %B %Y, %I:%M %p",  # Moodle
    "%A, %B %d, %Y, %I:%M %p",  # Moodle in American English
    "%Y-%m-%d %H:%M:%S %z",  # Gradescope
)
WORKSHEET = ("Identifier", "Grade", "Last modified (grade)")
FEEDBACK = "feedback.html"


def identified(name: str, roster: Iterable[Entry]) -> str | None:
    """Return the student whose platform's ID is in the name of a zip or folder, or None."""
    owners = _with_numbers(_numbers([name]), roster)
    return owners[0] if len(owners) == 1 else None


def owner(path: Path, roster: Sequence[Entry]) -> str | None:
    """Return the student whom the name of a zip or folder identifies, by the platform's ID or by its words, or None."""
    names = [without_zip(path.name), first_upload(path)]
    if any(_has_numbers(column, roster) for column, _ in _numbers([path.name])):
        # The platform's words alone: a student may write another one's ID.
        names = [path.name.partition("_")[0]]
    by_words = (named(without_file_number(name), roster) for name in dict.fromkeys(names))
    return identified(path.name, roster) or next(filter(None, by_words), None)


def _numbers(names: Iterable[str]) -> set[Number]:
    """Return the platform's IDs in the names of zips, folders or files."""
    found = ((column, pattern.match(name)) for name in names for pattern, column in NUMBER_COLUMNS.items())
    return {(column, match["id"]) for column, match in found if match}


def _with_numbers(numbers: set[Number], roster: Iterable[Entry]) -> list[str]:
    """Return the students who have one of these numbers, the last word in their column of the class list."""
    return [
        one.id
        for one in roster
        for column in NUMBER_COLUMNS.values()
        if (column, (one.row.get(column) or "").strip().rpartition(" ")[2]) in numbers
    ]


def _has_numbers(column: str, roster: Iterable[Entry]) -> bool:
    """Return whether a class list comes from the platform that writes the numbers of this column."""
    return any((one.row.get(column) or "").strip().rpartition(" ")[2].isdecimal() for one in roster)


def named(name: str, roster: Iterable[Entry]) -> str | None:
    """Return the student whom the words of a name identify, or None.

    Platforms put their own words first and the student's file name last, so the first word that is an ID of the roster
    counts. A full name at the beginning counts before any ID.
    """
    beginnings = list(accumulate(_words(name)))
    by_name: dict[int, set[str]] = {}
    for entry in roster:
        words = _words(entry.name)
        for full in ("".join(words), "".join(words[::-1]), "".join([*words[-1:], *words[:-1]])):
            if full in beginnings:
                by_name.setdefault(len(full), set()).add(entry.id)
    if by_name and len(longest := by_name[max(by_name)]) == 1:
        return next(iter(longest))
    name, ids = name.lower(), {entry.id for entry in roster}
    parts = list(re.finditer(r"[a-z0-9.@+-]+", name))
    for number, part in enumerate(parts):
        begins = [part.start(), *(part.start() + dash.end() for dash in re.finditer("-", part[0]))]
        ends = [one.end() for one in parts[number:]]  # an ID may be "x_1"
        if found := ids.intersection(name[begin:end] for begin in begins for end in ends):
            return max(found, key=len)  # the longer one of "x-1" and "1", or of "x_1" and "x"
    return None


@functools.lru_cache(1 << 14)  # a class's names, again for each hand-in
def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", unicodedata.normalize("NFKC", text).casefold()) if word]


def gather(paths: Iterable[Path]) -> dict[Path, dict[str, Path]]:
    """Return the hand-ins among the entries of a folder, each with its files by their own names if they lie loose there.

    The files that a student uploaded to Canvas one by one are one hand-in, with a path that does not exist; so are those
    in a download without folders from Moodle.
    """
    places: dict[str, Path] = {}
    hand_ins: dict[Path, dict[str, Path]] = {}
    for path in sorted(paths, key=order):
        canvas = CANVAS.match(path.name)
        match = canvas or MOODLE.match(path.name)
        own = path.name[match.end() :] if match else ""
        if not (match and own and path.is_file()) or path.is_symlink() or is_zip(own):
            hand_ins[path] = {}
            continue
        whose, own = (canvas["owner"], UPLOADED_AGAIN.sub("", own)) if canvas else (match[0], own)
        place = places.setdefault(whose, path.with_name(f"{match[0]}files"))
        hand_ins.setdefault(place, {})[own] = path
    return hand_ins


def is_download(names: Iterable[str], holder: str | None, roster: Sequence[Entry]) -> bool:
    """Return whether these are the paths in a folder or zip with the hand-ins of several students.

    ``holder`` is the student whom its own name identifies: only numbers on the roster then count as those of others.
    """
    paths = [PurePosixPath(name).parts for name in names]
    parts = {part for path in paths for part in path if len(part) <= LONGEST_NAME}
    numbers = _numbers(parts)
    if holder:
        return len(_with_numbers(numbers, roster)) > 1
    if len(numbers) > 1:
        return True
    holders = parts & {part for path in paths for part in path[:-1]} | set(filter(is_zip, parts))
    return len({owner(Path(part), roster) for part in sorted(holders)[:MOST_HOLDERS]} - {None}) > 1


def without_file_number(name: str) -> str:
    """Return a name without Canvas's FILE, which could be taken for the ID of another student."""
    return CANVAS.sub(r"\g<owner>", name, count=1)


def marked_late(name: str) -> bool:
    match = CANVAS.match(name)
    return bool(match and match["late"])


def is_online_text(name: str) -> bool:
    match = MOODLE.match(name)
    return bool(match and match["text"])


def plain_name(path: str) -> str:
    """Return the name at the end of a path, without the number of a second download."""
    return NUMBERED.sub("", PurePosixPath(path).name)


def is_numbered(path: str) -> bool:
    return plain_name(path) != PurePosixPath(path).name


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def without_zip(name: str) -> str:
    return name[:-4] if is_zip(name) else name


def order(path: Path) -> list[tuple[int, str]]:
    """Return the key by which the names of one student's hand-ins are in order of time: numbers count as such."""
    name = re.sub(r"_late(?=_\d)", "", without_zip(path.name), flags=re.IGNORECASE)
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def first_upload(path: Path) -> str:
    """Return the name without what Canvas adds to a second upload of the same file: ``lab-s1-1.zip`` was ``lab-s1.zip``."""
    return re.sub(r"-\d+$", "", without_zip(path.name))


def handed_in(entry: Entry) -> datetime | None:
    """Return when a student handed in, or None if the class list does not say. Raise RosterError for an unknown format."""
    text = next((entry.row[name] for name in SUBMITTED_COLUMNS if entry.row.get(name)), "").strip()
    if text in ("", "-"):
        return None
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text)
    for form in TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form)
    fix = "write it as 2026-12-01T23:59:00+01:00, or set Moodle to English and export again"
    raise RosterError(f"{entry.id} handed in at {text!r}: {fix}")


def maximum_grade(entry: Entry) -> float:
    """Return the points for full marks in Moodle's worksheet, and 100 in other class lists. Raise RosterError."""
    text = entry.row.get("Maximum Grade") or "100"
    try:
        return float(text.replace(",", "."))  # a decimal comma, in some languages
    except ValueError:
        fix = "let Moodle grade by points, and export the worksheet again"
        raise RosterError(f"{entry.id}: 'Maximum Grade' is {text!r}, not a number: {fix}") from None


def is_worksheet(roster: Sequence[Entry]) -> bool:
    """Return whether the class list is a grading worksheet of Moodle's."""
    return all(name in roster[0].row for name in WORKSHEET)


def write_feedback(path: Path, pages: dict[str, Path]) -> Path | None:
    """Write the zip of pages that Canvas or Moodle hands out again.

    ``pages`` are the paths of the pages by the names of the hand-ins. Return the zip's path, or None if neither platform
    has named any of them.
    """
    names = {}
    for name, page in pages.items():
        name = name.encode(errors="replace").decode()  # bytes of another encoding, which no zip can hold
        if match := CANVAS.match(name):
            names[f"{match[0]}{FEEDBACK}"] = page
        elif match := MOODLE.match(name):
            names[f"{match[0]}/{FEEDBACK}"] = page
    if not names:
        return None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, page in names.items():
            archive.write(page, name)
    return path
