"""``python3 lab grade SUBMISSIONS --roster roster.csv``: grade every submission in a sandbox.

OUT/grades.csv     everybody on the roster; canvas.csv and moodle.csv are ready to import
OUT/class.html     which tasks fail most, and how; shared recordings; what needs a look
OUT/feedback/      a page for each student         OUT/gradescope/  results.json for each
OUT/copies.csv     recordings that several handed in
OUT/similar.html   similar source code, side by side
OUT/results/       the results, one file each: an interrupted run continues; unchanged work is not run again
"""

import argparse
import os
import sys
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lab.commands import command_line, file_fault, refuse

if TYPE_CHECKING:
    from lab.instructor.roster import Entry


def main(argv: list[str] | None = None) -> int:
    parser = command_line("grade", "Grade submissions, each in a sandbox.")
    add = parser.add_argument
    add("submissions", type=Path, help="a folder of submissions: folders, zips, or both")
    add("--roster", type=Path, required=True, metavar="CSV", help="the class list")
    add("--course", metavar="KEY", default="lab", help="the course's key, as given to lab capture")
    add("--out", type=Path, default=Path("grades"), metavar="DIR", help="folder to write (default: grades)")
    add("--jobs", type=int, default=os.cpu_count() or 2, help="how many at a time (default: %(default)s)")
    on = "grade on a cluster: its scheduler, or local (see: lab cluster --help)"
    add("--on", metavar="ADDRESS", help=on)
    add("--any-course", action="store_true", help="write grades where nobody's recording fits the course")
    add("--again", action="store_true", help="grade everything again, also what has not changed")
    add("--no-sandbox", action="store_true", help="limits only: a hand-in can read your files")
    options = parser.parse_args(argv)
    from lab.instructor import cluster, grading
    from lab.instructor.roster import RosterError, read_roster

    try:
        roster = read_roster(options.roster)
        if not options.submissions.is_dir():
            raise RosterError(f"{options.submissions} is not a folder")
        with grading.work_folder() as work:
            return _grade(options, roster, work)
    except (RosterError, cluster.ClusterError) as error:
        return refuse("grade", error)
    except OSError as error:
        return refuse("grade", file_fault(error, options.out))


def _grade(options: argparse.Namespace, roster: "list[Entry]", work: Path) -> int:
    from lab.instructor import cluster, copies, grading, outputs, pages, sandbox, similarity, submissions

    if options.on:
        grade = partial(cluster.grade, options.on, not options.no_sandbox)
    else:
        way, refusals = (sandbox.LIMITS, {}) if options.no_sandbox else sandbox.choose(work)
        if way is None:
            return refuse("grade", f"{_diagnosis(refusals)}, or --no-sandbox if you trust all hand-ins")
        instead = "".join(f" ({other}: {refused})" for other, refused in refusals.items())
        print(f"each submission is graded {sandbox.describe(way)}{instead}")
        grade = partial(grading.grade_here, work, way)
    options.out.mkdir(parents=True, exist_ok=True)
    found, notes = submissions.find(options.submissions, roster)
    if options.no_sandbox:
        notes.append(f"graded {sandbox.describe(sandbox.LIMITS)}")
    results = grading.mark_all(found, options, grade)
    theirs = [result.own_recording for result in results.values() if result.own_recording is not None]
    if theirs and not any(theirs) and not options.any_course:
        fix = "use --course KEY with the key it was recorded with, or --any-course to write the grades anyway"
        return refuse("grade", f"nobody's recording is of the course {options.course!r}: {fix}")
    notes += [f"{one}: {remark}" for one, result in results.items() for remark in result.remarks]
    traces = {one: list(chain(*result.traces.values())) for one, result in results.items()}
    pairs = copies.find_pairs(traces)
    if many := copies.handed_in_by_many(traces):
        notes.append(f"{len(many)} handed in the same recording (the course's own?): {', '.join(many)}")
    written = outputs.write_grades(options.out, roster, results, pairs)
    for result in results.values():
        outputs.write_gradescope(options.out, result)
    similar = similarity.find_similar({one: result.code for one, result in results.items()})
    written.append(pages.write_pages(options.out, roster, results, pairs, similar, notes))
    written.append(pages.write_similar(options.out, similar, found))
    for note in notes:
        print(f"  look: {outputs.readable(note)}")
    for pair in pairs:
        print(f"  same recording: {pair}")
    missing = f"{len(roster) - len(results)} on the roster handed in nothing"
    print(
        f"{len(results)} graded, {missing}, {len(pairs)} pairs share a recording, {len(similar)} have similar source code",
        *written,
        sep="\n",
    )
    return 0


def _diagnosis(refusals: dict[str, str]) -> str:
    """Return why there is no sandbox here, and the fix, in a line."""
    from lab.instructor import sandbox
    from lab.net import namespace

    cause, fix = refusals[sandbox.NAMESPACES], "grade on Linux, in a virtual machine"
    if sys.platform.startswith("linux"):
        cause, fix = namespace.cause_of(cause, otherwise=fix)
        cause += f", and Landlock cannot stand in ({refusals[sandbox.LANDLOCK]})"
    return f"no sandbox here: {cause}. The fix: {fix}"
