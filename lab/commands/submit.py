"""``python3 lab submit``: pack what you hand in into one file, and list what is in it and what is missing.

It packs the sheets of ``lab/exercises``, and the recordings and ``answers.toml`` of ``captures/mine/ID``. Nothing is
checked or changed (``python3 lab check`` checks); something may be missing on purpose.
"""

import argparse
import ast
import hashlib
import json
import sys
import zipfile
from pathlib import Path

from lab.setup.paths import ROOT

MINE = ROOT / "captures" / "mine"
FOLDER = "submission"  # of everything in the zip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab submit", description="Pack what you hand in into one file.")
    parser.add_argument(
        "--student", metavar="ID", help="your id (default: that of the one recording in captures/mine)"
    )
    parser.add_argument(
        "--captures", type=Path, metavar="DIR", help="where your recordings are (default: captures/mine/ID)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="ZIP", help="the file to write (default: submission-ID.zip, here)"
    )
    options = parser.parse_args(argv)
    from lab.harness.student_capture import check_id

    try:
        student = check_id(options.student) if options.student else _only_student()
        captures = options.captures or MINE / student
        out = options.out or Path(f"submission-{student}.zip")
        files, remarks = gather(student, captures)
        pack(out, student, files)
    except ValueError as error:
        print(f"submit: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"submit: cannot write {error.filename or options.out}: {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    print(f"{out}, for {student}:")
    for remark in remarks:
        print(f"  {remark}")
    print("Hand in this one file.")
    return 0


def _only_student() -> str:
    found = sorted(path.parent.name for path in MINE.glob("*/about.json"))
    if len(found) != 1:
        there = (
            f"there are recordings of {', '.join(found)}"
            if found
            else "there is no recording in captures/mine"
        )
        raise ValueError(f"{there}: name yourself with --student ID")
    return found[0]


def gather(student: str, captures: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the files by their name in the zip, and a line about each thing that should be there."""
    from lab.exercises.checks.tasks import STUBS, module_name, sheet_names

    files, remarks = {}, []
    for sheet in sheet_names():
        path = STUBS / f"{module_name(sheet)}.py"
        if path.is_file():
            files[f"exercises/{path.name}"] = path
        remarks.append(_describe_sheet(path))
    for name in ("plain.pcapng", "tls13.pcapng"):
        path = captures / name
        if path.is_file():
            files[f"captures/{name}"] = path
        remarks.append(f"there     {name}" if path.is_file() else f"MISSING   {name}: not in {captures}")
    path = captures / "answers.toml"
    if path.is_file():
        files["answers.toml"] = path
    remarks.append(_describe_answers(path, student))
    return files, remarks


def _describe_sheet(path: Path) -> str:
    if not path.is_file():
        return f"MISSING   {path.name}"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        return f"BROKEN    {path.name}: Python cannot read it ({error}); it will count as wrong"
    tasks = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node)
    ]
    open_ones = [node.name for node in tasks if "raise NotImplementedError" in ast.unparse(node)]
    if open_ones:
        return f"there     {path.name}, not attempted in it: {', '.join(open_ones)}"
    return f"there     {path.name}"


def _describe_answers(path: Path, student: str) -> str:
    from lab.exercises.checks.answers import AnswersError, read_answers
    from lab.harness.student_capture import mistakes

    try:
        answers = read_answers(path)
    except FileNotFoundError:
        return f"MISSING   answers.toml: not in {path.parent}"
    except (AnswersError, OSError) as error:
        return f"BROKEN    answers.toml: {error}; it will count as not answered"
    owner = answers.pop("student", student)
    if str(owner).lower() != student:
        return f"WRONG     answers.toml belongs to {owner}"
    asked = sum(
        line.startswith("# ") and "=" in line and not line.startswith("#  ") for line in _template_lines(path)
    )
    described = f"there     answers.toml, {len(answers)} answered" + (
        f", {asked} lines still begin with #" if asked else ""
    )
    return "\n          ".join([described, *mistakes(answers)])


def _template_lines(path: Path) -> list[str]:
    """Return the lines of the template that were not changed: ``# key = value``."""
    return [
        line
        for line in path.read_text(encoding="utf-8-sig").splitlines()
        if line[2:].split(" = ")[0].isidentifier()
    ]


def pack(out: Path, student: str, files: dict[str, Path]) -> None:
    """Write the zip, whole or not at all."""
    from lab.exercises.checks.answers import SUBMISSION_NOTE

    note = {
        "format": 1,
        "student": student,
        "files": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
    }
    partial = out.with_name(out.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/{SUBMISSION_NOTE}", json.dumps(note, indent=1) + "\n")
        for name, path in files.items():
            archive.write(path, f"{FOLDER}/{name}")
    partial.replace(out)
