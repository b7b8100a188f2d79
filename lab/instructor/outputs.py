"""Write grades as files: grades.csv, and files for Canvas, Moodle and Gradescope.

Names come from students: a cell that would be a formula in a spreadsheet gets a quote first, and characters that control
a terminal, or that no file can store, are escaped.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.chat.events import printable
from lab.instructor.copies import KINDS, Pair
from lab.instructor.marking import DONE, Result
from lab.instructor.platforms import is_worksheet, maximum_grade
from lab.instructor.roster import Entry

ASSIGNMENT = "Packet-capture lab"
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CANVAS_IDS = ("ID", "SIS User ID", "SIS Login ID")
MOODLE = ("ID number", "Full name", "Email address", "Grade", "Feedback comments")
GRADES = ["ID number", "Email address", "Grade", "Points", "Points Possible", "Points Before", "Days Late"]
GRADES += ["Feedback comments", "Remarks", "Same recording as", "Sandbox"]


def readable(text: str) -> str:
    """Return the text with control characters and lone surrogates escaped, except line ends and tabs."""
    return re.sub(r"[^\n\t]+", lambda found: printable(found[0]), text)


def safe(value: object) -> str:
    """Return a value as text that is safe in a spreadsheet."""
    text = str(value)
    begins_formula = text != "-" and (text.startswith(FORMULA) or text.lstrip().startswith(FORMULA))
    return ("'" if begins_formula and not NUMBER.fullmatch(text) else "") + readable(text)


def write_csv(path: Path, heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows([[safe(cell) for cell in row] for row in rows])


def write_grades(
    folder: Path, roster: Sequence[Entry], results: dict[str, Result], pairs: Sequence[Pair]
) -> list[Path]:
    """Write grades.csv, canvas.csv and moodle.csv with everybody on the roster, and copies.csv; return the paths.

    If the roster is a grading worksheet of Moodle's, it is written again with grades and feedback.
    """
    shared = defaultdict(set)
    for pair in pairs:
        shared[pair.first].add(pair.second)
        shared[pair.second].add(pair.first)
    every_mark = [mark for result in results.values() for mark in result.marks]
    tasks = list(dict.fromkeys((mark.sheet, mark.task) for mark in every_mark))
    most = max((result.of for result in results.values()), default=0)
    rows, canvas, moodle = [], [], []
    for entry in roster:
        result = results.get(entry.id, Result(entry.id, ""))
        grade, feedback = result.percent, _feedback(results.get(entry.id))
        points = {(mark.sheet, mark.task): mark.points for mark in result.marks}
        ids = [entry.row.get("ID") or "", *(entry.row.get(name, entry.id) for name in CANVAS_IDS[1:])]
        student = [entry.name or entry.id, *ids, entry.row.get("Section") or ""]
        notes = [feedback, "; ".join(result.remarks), " ".join(sorted(shared[entry.id])), result.sandbox]
        numbers = [points.get(task, 0) for task in tasks]
        before = round(result.points if result.before is None else result.before, 2)
        of = result.of if entry.id in results else most
        marks = [grade, round(result.points, 2), of, before, result.days_late]
        rows.append([*student, entry.id, entry.email, *marks, *notes, *numbers])
        canvas.append([*student, grade])
        moodle.append([entry.id, entry.name, entry.email, grade, feedback])
    names = [f"{sheet}: {task}" for sheet, task in tasks]
    copies = [
        [one.first, one.second, f"{one.strength:.2f}", *(one.shared.get(kind, 0) for kind in KINDS)]
        for one in pairs
    ]
    tables: dict[str, tuple[Sequence[str], list[list[Any]]]] = {
        "grades.csv": (["Student", *CANVAS_IDS, "Section", *GRADES, *names], rows),
        "canvas.csv": (["Student", *CANVAS_IDS, "Section", ASSIGNMENT], canvas),
        "moodle.csv": (MOODLE, moodle),
        "copies.csv": (["first", "second", "share of the smaller recording", *KINDS], copies),
    }
    if is_worksheet(roster):
        worksheet = [_worksheet_row(entry, results.get(entry.id)) for entry in roster]
        tables["moodle-worksheet.csv"] = ([*worksheet[0]], [[*row.values()] for row in worksheet])
    for name, (heading, lines) in tables.items():
        write_csv(folder / name, heading, lines)
    return [folder / name for name in tables]


def _feedback(result: Result | None) -> str:
    return result.summary() if result else "nothing was handed in"


def _worksheet_row(entry: Entry, result: Result | None) -> dict[str, Any]:
    """Return a line of Moodle's worksheet with feedback and, if the student handed in, the grade."""
    grade = {"Grade": round(result.percent * maximum_grade(entry) / 100, 2)} if result else {}
    return entry.row | grade | {"Feedback comments": _feedback(result)}


def write_for_gradescope(folder: Path, roster: Sequence[Entry], results: dict[str, Result]) -> None:
    """Write ID/results.json for each student who handed in, and remove any other of an earlier run."""
    for entry in roster:
        path = folder / entry.id / "results.json"
        if result := results.get(entry.id):
            write_gradescope(path, result)
        else:
            path.unlink(missing_ok=True)


def write_gradescope(path: Path, result: Result) -> None:
    """Write what Gradescope expects of an autograder."""
    tests = [
        {
            "name": mark.task,
            "number": f"{mark.sheet} {mark.task}",
            "score": round(mark.points, 3),
            "max_score": round(mark.of, 3),
            "status": "passed" if mark.state == DONE else "failed",
            "output": readable(mark.story) if mark.state != DONE else "",
            "output_format": "text",
            "visibility": "visible",
        }
        for mark in result.marks
    ]
    whole = {
        "score": round(result.points, 3),
        "execution_time": int(result.seconds),
        "output": readable("\n".join([result.summary(), *result.remarks])),
        "output_format": "text",
        "visibility": "after_published",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
