"""Make the students' copy of the kit.

It is a copy without ``lab/instructor``, and with the exercises' checks alone of ``tests/``. It holds everything that
git tracks (without git: every file that running the kit does not make). Before it is kept, the copy is searched for
every marked region of every solution and for the hidden checks: see ``leaks``.
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
TEST_COMMAND = re.compile(r"^python3 lab test\b.*$", flags=re.MULTILINE)
CHECK_COMMAND = "python3 lab check     # your exercises: a line a task"
TESTS_NAMED = re.compile(r"`(tests/[^`\s]+)`")
LINK = re.compile(r"\]\(([^)#]+)\)")
TELLING_LINE = 35  # characters: from here on a line of a solution is told apart from any other


class ReleaseError(ValueError):
    """No copy was made; the text says why."""


def zip_path(dest: Path) -> Path:
    return dest.with_name(dest.name + ".zip")


def release(dest: Path) -> int:
    """Make the copy; gives the number of files. Raises ReleaseError, and then nothing is there."""
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise ReleaseError(f"{dest} is there already: choose a folder that is not")
    dest.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dest.parent, prefix=f".{dest.name}-") as temporary:
        copy = Path(temporary) / dest.name
        files = list(files_for_students())
        for name in files:
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        stubs.write(
            stub_folder=copy / "lab" / "exercises"
        )  # as new, even where the instructor has worked on them
        for old in (copy / "lab" / "exercises").glob("*.old"):
            old.unlink()
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
    """A page of the copy without the section for instructors, and the paragraphs that point to what only they have.

    The command that runs the tests becomes the one that checks the exercises.
    """
    kept = []
    text = re.sub(
        r"^## For instructors\n.*?(?=^## )",
        "",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
    for paragraph in TEST_COMMAND.sub(CHECK_COMMAND, text).split("\n\n"):
        targets = [copy.resolve() / name for name in TESTS_NAMED.findall(paragraph)]
        targets += [
            (page.parent / target).resolve() for target in LINK.findall(paragraph) if "://" not in target
        ]
        inside = [target for target in targets if copy.resolve() in target.parents]
        if all(target.exists() for target in inside):
            kept.append(paragraph)
    return "\n\n".join(kept)


def files_for_students() -> Iterator[str]:
    """The names (with /) of all files of the copy."""
    for name in sorted(files_of_the_kit()):
        instructors = name.startswith((INSTRUCTORS + "/", "tests/")) and not name.startswith(CHECKS)
        of_a_student = (
            (ROOT / name).with_name("about.json").exists()
        )  # recordings of a class, kept under captures/
        if name.split("/")[0] in TOP_LEVEL and not instructors and not of_a_student:
            yield name


def files_of_the_kit() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done and done.returncode == 0:
        names = done.stdout.decode().split("\0")
    else:  # a copy without git: everything but what running it makes
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    return [
        name
        for name in names
        if name and (ROOT / name).is_file() and not MADE_BY_RUNNING & set(Path(name).parts)
    ]


def secret_lines() -> dict[str, str]:
    """Every telling line of what students must not see: the marked regions, and the hidden checks. By line, where it
    is."""
    found: dict[str, str] = {}
    for path in stubs.solutions():
        lines = path.read_text(encoding="utf-8").splitlines()
        for begin, end in stubs.regions("\n".join(lines)):
            found |= {
                line.strip(): path.name
                for line in lines[begin + 1 : end]
                if len(line.strip()) >= TELLING_LINE
            }
    visible = {
        line.strip() for path in _checks(CHECKS) for line in path.read_text(encoding="utf-8").splitlines()
    }
    for path in _checks("lab/instructor/hidden"):
        hidden = {line.strip() for line in path.read_text(encoding="utf-8").splitlines()} - visible
        found |= {line: path.name for line in hidden if len(line) >= TELLING_LINE and "import" not in line}
    return found


def _checks(kind: str) -> list[Path]:
    return sorted((ROOT / kind).glob("*.py"))


def secret_regions() -> dict[str, str]:
    """Every marked region of every solution as one text, however short its lines are; by text, where it is."""
    found = {}
    for path in stubs.solutions():
        lines = path.read_text(encoding="utf-8").splitlines()
        for begin, end in stubs.regions("\n".join(lines)):
            found["\n".join(line.strip() for line in lines[begin + 1 : end])] = (
                f"{path.name}, line {begin + 1}"
            )
    return found


def leaks(copy: Path) -> list[str]:
    """What in a copy gives solutions or hidden checks away: a sentence each; empty where nothing does."""
    lines, regions = secret_lines(), secret_regions()
    found: list[str] = []
    for path in sorted(copy.rglob("*")):
        if not path.is_file() or path.suffix not in SEARCHED:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        stripped = [line.strip() for line in text.splitlines()]
        found += [
            f"{path.relative_to(copy)} has a line of {lines[line]}: {line}"
            for line in stripped
            if line in lines
        ]
        whole = "\n".join(stripped)
        found += [
            f"{path.relative_to(copy)} has the region of {where}"
            for region, where in regions.items()
            if region in whole
        ]
    left = [INSTRUCTORS] if (copy / INSTRUCTORS).exists() else []
    left += [f"tests/{path.name}" for path in sorted(copy.glob("tests/*")) if f"tests/{path.name}/" != CHECKS]
    return found + [f"{name} is in the copy" for name in left]
