"""Open what was handed in: folders, zips, or a mix, as learning platforms export them.

A zip is untrusted: only files of known names and limited sizes are written, as plain files, wherever they are in it. A
name with what a browser adds to a second download, such as ``answers (1).toml``, is read if there is no file of the plain
name. The owner is the student whom the platform names first in the name of the zip or folder, by ID or full name. The note
inside was written by a student: it counts only if the name identifies nobody, and never against a submission that is named.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from lab.exercises.checks.answers import SUBMISSION_NOTE
from lab.exercises.checks.tasks import module_name, sheet_names
from lab.harness.student_capture import ANSWERS, ATTACK, PLAIN, TLS
from lab.instructor import platforms, untrusted
from lab.instructor.roster import Entry
from lab.instructor.untrusted import LONGEST_REMARK, Loader

MOST_FILES, MOST_ZIPS = 2_000, 20  # read of one submission
MOST_BYTES = 48 << 20  # read of one submission: up to three recordings, and the rest is small
MOST_REMARKS = 10  # of one submission
LARGEST_FILE = {".py": 1 << 18, ".toml": 1 << 16, ".json": 1 << 16, ".pcapng": 20 << 20}  # bytes
SHEET = re.compile(r"sheet_\d\d_\w{1,40}\.py")
PERHAPS_WORK = re.compile(
    r"[^.].*\.(rar|7z|tar|tgz|[gx]z|zip)|(?!\.).*sheet.*\.(py|ipynb)\b.*", re.IGNORECASE
)
OF_THE_SYSTEM = (".", "__MACOSX")  # beginnings of names
MANY = "a download with many hand-ins, and left out; unpack it into this folder"
SEVERAL = (
    "a folder with hand-ins of several students, and left out; move them one folder up, or grade it alone"
)
NOBODYS = "whose is it? Neither its name nor its note is on the roster; rename it to the student's ID"
CURE = "make the zip with: python3 lab submit"


@dataclass
class Submission:
    """One student's hand-in, unpacked: ``files`` by their known names; ``remarks`` for the instructor."""

    id: str
    source: Path
    files: dict[str, bytes] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    named: bool = False  # its id is from its name, not from the note inside
    bytes_read: int = 0  # also of files that could not be kept

    def rank(self) -> tuple[bool, bool, bool]:
        """Return the key by which one of a student's hand-ins counts before another; of equal ones, the last by name."""
        return self.named, self.is_gradable(), not platforms.is_online_text(self.source.name)

    def is_gradable(self) -> bool:
        return bool(self.files.keys() - {SUBMISSION_NOTE})

    def fingerprint(self) -> str:
        """Return a digest of all files that count."""
        parts = (f"{name} {len(data)} ".encode() + data for name, data in sorted(self.files.items()))
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def unpack(self, folder: Path) -> None:
        """Write the files into ``folder``, which is emptied first: sheets/, and the rest beside it."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "sheets").mkdir(parents=True)
        (folder / "sheets").chmod(0o755)  # root grades as nobody
        for name, data in self.files.items():
            path = folder / "sheets" / name if SHEET.fullmatch(name) else folder / name
            path.write_bytes(data)
            path.chmod(0o644)


def is_wanted(name: str) -> bool:
    return bool(SHEET.fullmatch(name)) or name in (PLAIN, TLS, ATTACK, ANSWERS, SUBMISSION_NOTE)


def _may_be_work(path: str) -> bool:
    """Return whether a file whose name is unknown may be what the student wanted to hand in."""
    *folders, name = PurePosixPath(path).parts
    by_a_program = any(part.startswith((".", "__")) for part in folders)  # __MACOSX, .ipynb_checkpoints
    if len(name) > platforms.LONGEST_NAME or by_a_program:
        return False
    return bool(PERHAPS_WORK.fullmatch(name)) and not is_wanted(name)


def find(
    folder: Path, roster: Sequence[Entry], out: Path | None = None
) -> tuple[list[Submission], list[str]]:
    """Return the submissions in ``folder``, one for each student, and a line about each other entry but ``out``."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(OF_THE_SYSTEM)]
    entries = [path for path in entries if not out or os.path.realpath(path) != os.path.realpath(out)]
    if len(entries) == 1 and _is_around_all(entries[0], roster):
        return find(entries[0], roster, out)
    found: dict[str, Submission] = {}
    problems = []
    for path, loose in platforms.gather(entries).items():
        named = platforms.owner(path, roster)
        if not loose and (unfit := _unfit(path, named, roster)):
            problems.append(f"{path.name}: {unfit}")
            continue
        submission = read(path, loose)
        claimed = _claimed(submission.files.get(SUBMISSION_NOTE, b""), roster)
        if named and claimed not in (None, named):
            submission.remarks.append(f"its note says {claimed}, its name says {named}: the name counts")
        owner = named or claimed
        if owner is None:
            problems.append(f"{path.name}: {NOBODYS}")
            continue
        submission.id, submission.named = owner, named is not None
        if owner in found:
            left_out, submission = sorted((found[owner], submission), key=Submission.rank)
            whose = f"another hand-in of {owner}, as its {'name' if left_out.named else 'note'} says"
            problems.append(f"{left_out.source.name}: {whose}; {submission.source.name} counts")
        found[owner] = submission
    return list(found.values()), problems


def _is_around_all(path: Path, roster: Sequence[Entry]) -> bool:
    """Return whether the only entry of an inbox is a folder round all hand-ins, or the only one, as many tools make it."""
    if platforms.owner(path, roster) or path.is_symlink() or not path.is_dir():
        return False
    by_number = any(platforms.identified(one.name, roster) for one in path.iterdir())
    return by_number or _is_of_several(path, None, roster)


def _unfit(path: Path, named: str | None, roster: Sequence[Entry]) -> str | None:
    """Return why an entry of the inbox cannot be one student's hand-in, or None."""
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        return "not a folder or a file, and left out"
    if not (path.is_dir() or platforms.is_zip(path.name)):
        return "not a zip or a folder, and left out"
    if _is_of_several(path, named, roster):
        return SEVERAL if path.is_dir() else MANY
    return None


def _is_of_several(path: Path, named: str | None, roster: Sequence[Entry]) -> bool:
    """Return whether a zip or folder holds the hand-ins of several students, by the names or the notes in it."""
    try:
        files = untrusted.files_below(path)
        names = untrusted.names_in_zip(path) if files is None else files
        if platforms.is_download(names, named, roster):
            return True
    except Exception:  # struct.error, ...: ``read`` says what is wrong with a damaged zip
        return False
    return not named and len({_claimed(note, roster) for note in _notes(path)} - {None}) > 1


def _notes(path: Path) -> Iterator[bytes]:
    """Yield the notes in a zip or folder, and in the zips of a folder."""
    files = untrusted.files_below(path)
    with contextlib.suppress(Exception):  # as above
        found = untrusted.in_zip(path) if files is None else untrusted.in_folder(files)
        for name, size, load in islice(found, MOST_FILES):
            if files and platforms.is_zip(name):
                yield from islice(_notes(files[name]), 1)
            elif load and platforms.plain_name(name) == SUBMISSION_NOTE and size <= LARGEST_FILE[".json"]:
                yield load()


def read(path: Path, loose: dict[str, Path] | None = None) -> Submission:
    """Return the known files of one zip or folder, or of ``loose`` ones. Whatever is wrong becomes a remark."""
    submission = Submission("", path)
    _read(path, loose or untrusted.files_below(path), submission, MOST_FILES)
    known = [f"{module_name(sheet)}.py" for sheet in sheet_names()]
    unknown = [name for name in submission.files if SHEET.fullmatch(name) and name not in known]
    submission.remarks += [f"{name} is not the name of a sheet" for name in unknown]
    if not (submission.is_gradable() or submission.remarks):
        submission.remarks.append(f"nothing to grade in {path.name}; {CURE}")
    kept, more = submission.remarks[:MOST_REMARKS], submission.remarks[MOST_REMARKS:]
    submission.remarks = [one[:LONGEST_REMARK] for one in kept]
    if more:
        submission.remarks.append(f"and {len(more)} more like these")
    return submission


def _read(path: Path, files: dict[str, Path] | None, submission: Submission, most_files: int) -> int:
    """Add the known ones of the files, or of a zip; return how many more files may be looked at."""
    remarks, packed = submission.remarks, ""
    try:
        for name, size, load in untrusted.in_zip(path) if files is None else untrusted.in_folder(files):
            if most_files <= 0:
                remarks.append(f"more than {MOST_FILES} files; the others were not read")
                break
            most_files -= 1
            own, plain = PurePosixPath(name).name, platforms.plain_name(name)
            if files and platforms.is_zip(own) and packed:
                remarks.append(f"{own} was left out: {packed} counts")
            elif files and platforms.is_zip(own) and size <= untrusted.LARGEST_ZIP:
                before = len(submission.files)
                most_files = _read(files[name], None, submission, most_files) - MOST_FILES // MOST_ZIPS
                packed = own if len(submission.files) > before else ""
            elif is_wanted(plain) and plain not in submission.files:
                _keep(submission, plain, size, load)
            elif _may_be_work(name):
                remarks.append(f"{own} was left out: nothing of this name is read; {CURE}")
    except Exception as error:  # zlib.error, struct.error, ...: a damaged zip raises many kinds
        remarks.append(f"{path.name} cannot be opened: {str(error) or type(error).__name__}; {CURE}")
    return most_files


def _keep(submission: Submission, name: str, size: int, load: Loader | None) -> None:
    if load is None:
        submission.remarks.append(f"{name} was left out: neither stored nor deflated; pack it as a plain zip")
    elif size > LARGEST_FILE[Path(name).suffix]:
        submission.remarks.append(f"{name} is too large ({size} bytes) and was left out")
    elif submission.bytes_read + size > MOST_BYTES:
        submission.remarks.append(f"{name} was left out: more than {MOST_BYTES >> 20} MB altogether")
    else:
        submission.bytes_read += size
        submission.files[name] = load()


def _claimed(note: bytes, roster: Iterable[Entry]) -> str | None:
    """Return the student of the roster whom a note names."""
    try:
        claimed = str(json.loads(note).get("student", "")).lower()
    except (ValueError, AttributeError, RecursionError):
        return None
    return claimed if claimed in {entry.id for entry in roster} else None
