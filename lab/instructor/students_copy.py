"""Make the students' copy of the kit.

It holds everything that git tracks (without git: every file that running the kit does not make), except
``lab/instructor``, and of ``tests/`` only the checks of the exercises. Before it is kept, the copy is searched for every
marked region of every solution and for the hidden checks: see ``leaks``.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.instructor import stubs
from lab.setup.paths import ROOT

INSTRUCTORS = "lab/instructor"
CHECKS = "tests/exercises/"  # all that students get of tests/
# Other folders and files at the top are the instructor's: submissions, grades, recordings.
TOP_LEVEL = {"README.md", "LICENSE", "lab", "notebooks", "captures", "tests"}
TOP_LEVEL |= {"requirements.txt", "pyproject.toml", ".gitignore"}
MADE_BY_RUNNING = {"__pycache__", ".git", ".venv", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
MADE_BY_RUNNING |= {".hypothesis", ".ipynb_checkpoints", "mine", "demo"}
SEARCHED = {".py", ".md", ".ipynb", ".toml", ".json", ".txt", ".csv", ""}  # kinds of files
FOR_OTHERS = re.compile(r"^## (For instructors|Contributing)\n.*?(?=^## |\Z)", flags=re.DOTALL | re.MULTILINE)
TEST_COMMAND = re.compile(r"^python3 lab test\b.*$", flags=re.MULTILINE)
CHECK_COMMAND = "python3 lab check     # your exercises: a line a task"
TESTS_NAMED = re.compile(r"\btests/[\w/.]*\w")
LINK = re.compile(r"\]\(([^)#]+)\)")
TELLING_LINE = 35  # characters; a shorter line of a solution may be anybody's


class ReleaseError(ValueError):
    """No copy was made; the text says why."""


def zip_path(dest: Path) -> Path:
    return dest.with_name(dest.name + ".zip")


def release(dest: Path) -> int:
    """Make the copy and return the number of files. Raise ReleaseError; then nothing is there."""
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise ReleaseError(f"{dest} is there already: choose a folder that is not")
    if zip_path(dest).exists():
        raise ReleaseError(f"{zip_path(dest)} is there already: choose another folder")
    dest.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dest.parent, prefix=f".{dest.name}-") as temporary:
        copy = Path(temporary) / dest.name
        files = list(files_for_students())
        for name in files:
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        # The sheets are handed out as new, even where the instructor has worked on them.
        for name, stub in stubs.make_stubs().items():
            (copy / "lab" / "exercises" / name).write_bytes(stub)
        for page in copy.rglob("README.md"):
            page.write_text(_without_dead_links(page, copy), encoding="utf-8")
        if found := leaks(copy):
            raise ReleaseError(f"the copy would give away solutions: {'; '.join(found[:5])}")
        archive = shutil.make_archive(str(Path(temporary) / "archive"), "zip", temporary, dest.name)
        if dest.exists():
            dest.rmdir()
        copy.replace(dest)
        Path(archive).replace(zip_path(dest))
    return len(files)


def _without_dead_links(page: Path, copy: Path) -> str:
    """Return a page without the sections for other readers and the paragraphs that point to what only they have.

    The command that runs the tests becomes the one that checks the exercises.
    """
    kept = []
    text = FOR_OTHERS.sub("", page.read_text(encoding="utf-8"))
    for paragraph in TEST_COMMAND.sub(CHECK_COMMAND, text).split("\n\n"):
        links = [page.parent / target for target in LINK.findall(paragraph) if "://" not in target]
        named = [copy / name for name in TESTS_NAMED.findall(paragraph)]
        targets = [target.resolve() for target in links + named]
        if all(target.exists() for target in targets if copy.resolve() in target.parents):
            kept.append(paragraph)
    return "\n\n".join(kept)


def files_for_students() -> Iterator[str]:
    """Yield the names (with /) of all files of the copy."""
    for name in sorted(files_of_the_kit()):
        if name.startswith(CHECKS) or not name.startswith((INSTRUCTORS + "/", "tests/")):
            yield name


def files_of_the_kit() -> list[str]:
    """Return the names (with /) of the kit's files, without those of a class that an instructor keeps beside them."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.check_output(command, stderr=subprocess.DEVNULL, timeout=60).decode().split("\0")
    except (OSError, subprocess.SubprocessError):  # a copy without git
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    names = [name for name in names if name.split("/")[0] in TOP_LEVEL and (ROOT / name).is_file()]
    names = [name for name in names if not name.endswith(".py.old")]  # sheets that were worked on
    of_a_student = {Path(name).parent for name in names if Path(name).name == "about.json"}  # below captures/
    return [
        name
        for name in names
        if not MADE_BY_RUNNING & set(Path(name).parts) and Path(name).parent not in of_a_student
    ]


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]


def _marked_regions() -> Iterator[tuple[str, list[str]]]:
    """Yield where each marked region of a solution is, and its lines."""
    for path in stubs.solutions():
        lines = _lines(path)
        for begin, end in stubs.regions("\n".join(lines)):
            yield f"{path.name}, line {begin + 1}", lines[begin + 1 : end]


def secret_lines() -> dict[str, str]:
    """Return every telling line of the marked regions and of the hidden checks, and where it is."""
    found = {line: where for where, lines in _marked_regions() for line in lines}
    visible = {line for path in (ROOT / CHECKS).glob("*.py") for line in _lines(path)}
    for path in (ROOT / INSTRUCTORS / "hidden").glob("*.py"):
        found |= {line: path.name for line in set(_lines(path)) - visible if "import" not in line}
    return {line: where for line, where in found.items() if len(line) >= TELLING_LINE}


def secret_regions() -> dict[str, str]:
    """Return every marked region as one text, however short its lines are, and where it is."""
    return {"\n".join(lines): where for where, lines in _marked_regions()}


def leaks(copy: Path) -> list[str]:
    """Return a sentence for each place of a copy that gives a solution or a hidden check away."""
    lines, regions = secret_lines(), secret_regions()
    found: list[str] = []
    for path in sorted(copy.rglob("*")):
        if not path.is_file() or path.suffix not in SEARCHED:
            continue
        try:
            stripped = _lines(path)
        except UnicodeDecodeError:
            continue
        name, whole = path.relative_to(copy), "\n".join(stripped)
        found += [f"{name} has a line of {lines[line]}: {line}" for line in stripped if line in lines]
        found += [f"{name} has the region of {where}" for region, where in regions.items() if region in whole]
    left = [INSTRUCTORS] if (copy / INSTRUCTORS).exists() else []
    left += [f"tests/{path.name}" for path in sorted(copy.glob("tests/*")) if f"tests/{path.name}/" != CHECKS]
    return found + [f"{name} is in the copy" for name in left]
