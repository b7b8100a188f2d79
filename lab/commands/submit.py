"""``python3 lab submit``: pack what you hand in into one file, and list what is in it and what is missing.

It packs the sheets of ``lab/exercises``, and the recordings and ``answers.toml`` of ``captures/mine/ID``. Nothing is
checked or changed (``python3 lab check`` checks). What is missing or broken is named, and the rest packed all the same.
"""

import ast
import json
import re
import zipfile
from pathlib import Path

from lab.commands import command_line, file_fault, refuse
from lab.setup.paths import ROOT

MINE = ROOT / "captures" / "mine"
FOLDER = "submission"  # of everything in the zip


def main(argv: list[str] | None = None) -> int:
    parser = command_line("submit", "Pack what you hand in into one file.")
    add = parser.add_argument
    add("--student", metavar="ID", help="your id (default: that of the one recording in captures/mine)")
    add("--captures", type=Path, metavar="DIR", help="where your recordings are (default: captures/mine/ID)")
    add("--out", type=Path, metavar="ZIP", help="the file to write (default: submission-ID.zip, here)")
    options = parser.parse_args(argv)
    from lab.dissect.text import counted
    from lab.harness.student_profile import check_id

    try:
        named = check_id(options.student) if options.student else ""
        student = named if named and options.captures else _find_student(named)
        out = options.out or Path(f"submission-{student}.zip")
        files, remarks = gather_files(student, options.captures or MINE / student)
        write_zip(out, student, files)
    except ValueError as error:
        return refuse("submit", error)
    except OSError as error:
        return refuse("submit", f"cannot write {file_fault(error, options.out)}")
    print(f"{out}, for {student}:", *remarks, sep="\n  ")
    missing = sum(line.startswith("MISSING") for line in remarks)
    problems = [f"{counted(missing, 'file')} missing"] if missing else []
    bad = [line.split() for line in remarks if line.startswith(("BROKEN", "WRONG"))]
    problems += [f"{name.rstrip(':')} {state.lower()}" for state, name, *_ in bad]
    if problems:
        cure = "it would be marked so. Mend it and pack again, or hand in this one file as it is."
        print(f"Not complete ({', '.join(problems)}): {cure}")
    else:
        print("Hand in this one file.")
    return 0


def _find_student(named: str) -> str:
    """Return whose recordings in ``captures/mine`` to pack; ``named`` may be empty. Raises ValueError."""
    found = sorted(path.parent.name for path in MINE.glob("*/about.json"))
    if not named and len(found) == 1:
        return found[0]
    if named and (MINE / named).is_dir():
        return named
    if (MINE / "answers.toml").exists() or (MINE / "about.json").exists():
        raise ValueError(
            f"recordings lie in captures/mine itself: move them to captures/mine/{named or 'NAME'}"
        )
    if named and found:
        here = "recording here is" if len(found) == 1 else "recordings here are"
        owners = ", ".join(f"{one}'s" for one in found)
        raise ValueError(f"the {here} {owners}: is {named} mistyped?")
    if named:
        return named
    there = f"are recordings of {', '.join(found)}" if found else "is no recording in captures/mine"
    raise ValueError(f"there {there}: name yourself with --student ID")


def gather_files(student: str, captures: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the files by their name in the zip, and a line about each thing that should be there."""
    from lab.exercises.checks.tasks import STUBS, module_name, sheet_names

    files, remarks = {}, []
    for sheet in sheet_names():
        path = STUBS / f"{module_name(sheet)}.py"
        if path.is_file():
            files[f"exercises/{path.name}"] = path
        remarks.append(_describe_sheet(path, sheet))
    answers = captures / "answers.toml"
    if answers.is_file():
        files[answers.name] = answers
    asks_about_attack = answers.is_file() and b"attack.pcapng" in answers.read_bytes()
    for name in ("plain.pcapng", "tls13.pcapng", "attack.pcapng"):
        path = captures / name
        if path.is_file():
            files[f"captures/{name}"] = path
            remarks.append(f"there     {name}")
        elif name != "attack.pcapng" or asks_about_attack:  # not every course has an attack
            remarks.append(f"MISSING   {name}: not in {captures}")
    return files, [*remarks, _describe_answers(answers, student)]


def _describe_sheet(path: Path, sheet: str) -> str:
    from lab.exercises.checks.tasks import load_tasks

    if not path.is_file():
        return f"MISSING   {path.name}"
    try:
        tree = ast.parse(path.read_bytes(), path.name)
    except SyntaxError as error:
        return f"BROKEN    {path.name}: Python cannot read line {error.lineno} ({error.msg}); it will count as wrong"
    except (OSError, ValueError) as error:
        return f"BROKEN    {path.name}: Python cannot read it ({error}); it will count as wrong"
    defined = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    if absent := [task.name for task in load_tasks(sheet) if task.name not in defined]:
        return f"BROKEN    {path.name}: {', '.join(absent)} not defined in it; it will count as wrong"
    tasks = [node for node in defined.values() if ast.get_docstring(node)]
    names = [node.name for node in tasks if "raise NotImplementedError" in ast.unparse(node)]
    return f"there     {path.name}" + (f", not attempted in it: {', '.join(names)}" if names else "")


def _describe_answers(path: Path, student: str) -> str:
    from lab.dissect.text import counted
    from lab.exercises.checks.answers import AnswersError, read_answers
    from lab.harness.student_capture import mistakes

    try:
        answers = read_answers(path)
    except FileNotFoundError:
        return f"MISSING   answers.toml: not in {path.parent}"
    except (AnswersError, OSError) as error:
        return f"BROKEN    answers.toml: {error}; the answers will count as wrong"
    owner = answers.pop("student", student)
    if str(owner).lower() != student:
        return f"WRONG     answers.toml belongs to {owner}"
    template = re.findall(r"^# \w+ = ", path.read_text(encoding="utf-8-sig"), re.MULTILINE)
    still = f", {counted(len(template), 'line')} still with # in front" if template else ""
    lines = [f"there     answers.toml, {len(answers)} answered{still}", *mistakes(answers)]
    return "\n          ".join(lines)


def write_zip(out: Path, student: str, files: dict[str, Path]) -> None:
    """Write the zip, whole or not at all."""
    from lab.exercises.checks.answers import SUBMISSION_NOTE
    from lab.harness.manifest import sha256_of

    digests = {name: sha256_of(path) for name, path in files.items()}
    note = {"format": 1, "student": student, "files": digests}
    partial = out.with_name(out.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/{SUBMISSION_NOTE}", json.dumps(note, indent=1) + "\n")
        for name, path in files.items():
            archive.write(path, f"{FOLDER}/{name}")
    partial.replace(out)
