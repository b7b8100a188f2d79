"""Write grades as files: grades.csv, and files for Canvas, Moodle and Gradescope.

A cell that begins with = + - or @ would be a formula in a spreadsheet; names come from students, so these get a quote
first. Whatever a terminal might obey, or no file can hold, is escaped: see ``readable``.
"""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

from lab.chat.events import printable
from lab.instructor.copies import Pair
from lab.instructor.marking import DONE, MISSING, NOT_ATTEMPTED, PARTLY, Result
from lab.instructor.roster import Entry

ASSIGNMENT = "Packet-capture lab"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def readable(text: str) -> str:
    """The text with control characters and half characters (surrogates) escaped, but for line ends and tabs."""
    return re.sub(r"[^\n\t]+", lambda found: printable(found[0]), text)


def safe(value) -> str:
    """A text as a spreadsheet may have it."""
    text = str(value)
    begins_formula = text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)
    return "'" * (begins_formula and not _is_number(text)) + readable(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
        return True
    except ValueError:
        return False


def percent(result: Result) -> float:
    return round(100 * result.points / result.of, 1) if result.of else 0.0


def summary(result: Result) -> str:
    """One line on a submission."""
    counts = {
        state: sum(mark.state == state for mark in result.marks)
        for state in (DONE, PARTLY, NOT_ATTEMPTED, MISSING)
    }
    wrong = len(result.marks) - sum(counts.values())
    return ", ".join(f"{count} {state}" for state, count in {**counts, "wrong": wrong}.items() if count)


def write_csv(path: Path, heading: Sequence[str], rows: Sequence[Sequence]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows([[safe(cell) for cell in row] for row in rows])


def write_grades(
    folder: Path, roster: Sequence[Entry], results: dict[str, Result], pairs: Sequence[Pair]
) -> list[Path]:
    """Everybody on the roster, whether handed in or not: grades.csv, canvas.csv, moodle.csv, copies.csv."""
    copied: dict[str, set[str]] = {}
    for pair in pairs:
        copied.setdefault(pair.first, set()).add(pair.second)
        copied.setdefault(pair.second, set()).add(pair.first)
    tasks = list(
        dict.fromkeys((mark.sheet, mark.task) for result in results.values() for mark in result.marks)
    )
    heading = [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        "ID number",
        "Email address",
        "Grade",
        "Points",
        "Points Possible",
    ]
    heading += [
        "Feedback comments",
        "Remarks",
        "Same recording as",
        *(f"{sheet}: {task}" for sheet, task in tasks),
    ]
    rows, canvas, moodle = [], [], []
    most = max((result.of for result in results.values()), default=0)
    for entry in roster:
        result = results.get(entry.id)
        grade = percent(result) if result else 0.0
        feedback = summary(result) if result else "nothing was handed in"
        points = {(mark.sheet, mark.task): mark.points for mark in result.marks} if result else {}
        ids = [
            entry.row.get("ID") or "",
            entry.row.get("SIS User ID") or entry.id,
            entry.row.get("SIS Login ID") or entry.id,
        ]
        remarks = "; ".join(result.remarks) if result else ""
        rows.append(
            [entry.name or entry.id, *ids, entry.row.get("Section") or "", entry.id, entry.email, grade]
            + [
                round(result.points, 2) if result else 0,
                most,
                feedback,
                remarks,
                " ".join(sorted(copied.get(entry.id, ()))),
            ]
            + [points.get(task, 0) for task in tasks]
        )
        canvas.append([entry.name or entry.id, *ids, entry.row.get("Section") or "", grade])
        moodle.append([entry.id, entry.name, entry.email, grade, feedback])
    paths = [folder / name for name in ("grades.csv", "canvas.csv", "moodle.csv", "copies.csv")]
    write_csv(paths[0], heading, rows)
    write_csv(paths[1], ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT], canvas)
    write_csv(paths[2], ["ID number", "Full name", "Email address", "Grade", "Feedback comments"], moodle)
    kinds = ("isn", "number", "random", "time", "rhythm")
    write_csv(
        paths[3],
        ["first", "second", "share of the smaller recording", *kinds],
        [
            [pair.first, pair.second, f"{pair.strength:.2f}", *(pair.shared.get(kind, 0) for kind in kinds)]
            for pair in pairs
        ],
    )
    return paths


def gradescope(result: Result) -> dict:
    """What Gradescope's autograder wants as results.json."""
    status = {DONE: "passed", PARTLY: "failed"}
    return {
        "score": round(result.points, 3),
        "execution_time": int(result.seconds),
        "output": readable("\n".join([summary(result), *result.remarks])),
        "output_format": "text",
        "visibility": "after_published",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": mark.task,
                "number": f"{mark.sheet} {mark.task}",
                "score": round(mark.points, 3),
                "max_score": round(mark.of, 3),
                "status": status.get(mark.state, "failed"),
                "output": readable(mark.story) if mark.state != DONE else "",
                "output_format": "text",
                "visibility": "visible",
            }
            for mark in result.marks
        ],
    }


def write_gradescope(folder: Path, result: Result) -> Path:
    path = folder / "gradescope" / result.id / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(gradescope(result), indent=1) + "\n", encoding="utf-8")
    return path
