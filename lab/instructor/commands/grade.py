"""``python3 lab grade SUBMISSIONS --roster roster.csv``: grade every submission in a sandbox.

OUT/grades.csv     everybody on the roster; canvas.csv and moodle.csv are ready to import
OUT/class.html     which tasks fail most, and how; shared recordings; what needs a look
OUT/feedback/      a page for each student         OUT/gradescope/  results.json for each
OUT/copies.csv     recordings that several handed in
OUT/similar.html   similar source code, side by side
OUT/feedback.zip   the pages again, as Canvas or Moodle takes them (with hand-ins from there)
OUT/results/       the results, one file each: an interrupted run continues; unchanged work is not run again
"""

import argparse
import os
import sys
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from lab.commands import at_least_one, cluster_address, command_line, course_key, file_fault, refuse
from lab.harness.student_profile import DEFAULT_KEY

if TYPE_CHECKING:
    from lab.instructor.course_rules import CourseRules
    from lab.instructor.marking import Result
    from lab.instructor.roster import Entry
    from lab.instructor.submissions import Submission

SAMPLE = 40  # recordings that tell whether the key is the course's


def _parser() -> argparse.ArgumentParser:
    parser = command_line("grade", "Grade submissions, each in a sandbox.")
    add = parser.add_argument
    inbox = "a folder of submissions (folders, zips, or both), or the zip that Canvas or Moodle sends"
    add("submissions", type=Path, help=inbox)
    add("--roster", type=Path, metavar="CSV", help="the class list (required)")
    course = "the course's key, as given to lab capture"
    add("--course", metavar="KEY", type=course_key, default=DEFAULT_KEY, help=course)
    add("--out", type=Path, default=Path("grades"), metavar="DIR", help="folder to write (default: grades)")
    jobs = "how many at a time (default: %(default)s)"
    add("--jobs", type=at_least_one, default=os.cpu_count() or 2, help=jobs)
    rules = "weights, due dates and what a late day costs (course.toml)"
    add("--rules", type=Path, metavar="TOML", help=rules)
    on = "grade on a cluster: its scheduler, or local (see: lab cluster --help)"
    add("--on", metavar="ADDRESS", type=cluster_address, help=on)
    any_course = "write grades even if few recordings were made with this key"
    add("--any-course", action="store_true", help=any_course)
    add("--again", action="store_true", help="grade everything again, also what has not changed")
    add("--no-sandbox", action="store_true", help="limits only: a hand-in can read your files")
    return parser


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if not options.roster:  # not required=True, which hides an option that is misspelt
        parser.error("--roster CSV is required")
    from lab.instructor import cluster, course_rules, grading, platforms
    from lab.instructor.roster import RosterError, read_roster

    try:
        roster = read_roster(options.roster)
        for one in roster:  # what the platform wrote is refused now, not after hours of grading
            platforms.maximum_grade(one)
            if options.rules:
                platforms.handed_in(one)
        if not options.submissions.is_dir() and not platforms.is_zip(options.submissions.name):
            raise RosterError(f"{options.submissions} is not a folder or a zip")
        options.rules = options.rules and course_rules.read_rules(options.rules)
        with grading.work_folder() as work:
            return _grade(options, roster, work)
    except BadZipFile as error:
        return refuse("grade", f"{options.submissions} cannot be unpacked: {error}")
    except (RosterError, course_rules.RulesError, cluster.ClusterError) as error:
        return refuse("grade", error)
    except OSError as error:
        return refuse("grade", file_fault(error, options.out))


def _grade(options: argparse.Namespace, roster: "list[Entry]", work: Path) -> int:
    from lab.instructor import cluster, grading, sandbox
    from lab.instructor.roster import DEFAULT_KEY_REMARK

    if options.on:
        grade = partial(cluster.grade, options.on, not options.no_sandbox)
    else:
        way, refusals = (sandbox.LIMITS, {}) if options.no_sandbox else sandbox.choose(work)
        if way is None:
            return refuse("grade", f"{_diagnosis(refusals)}, or --no-sandbox if you trust all hand-ins")
        instead = "".join(f" ({other}: {refused})" for other, refused in refusals.items())
        print(f"each submission is graded {sandbox.describe(way)}{instead}")
        grade = partial(grading.grade_here, work, way)
    found, notes = _find(options, roster, work / "inbox")
    if not found:
        _print_notes(notes)
        like = f"the IDs of {options.roster} are like {roster[0].id!r}"
        return refuse("grade", f"nothing to grade in {options.submissions}; {like}")
    if misfit := _misfit(options, found, work / "sample"):
        return refuse("grade", misfit)
    grading.make_results(options.out)
    if options.course == DEFAULT_KEY:
        print(DEFAULT_KEY_REMARK)
    if options.no_sandbox:
        notes.append(f"graded {sandbox.describe(sandbox.LIMITS)}")
    results = grading.mark_all(found, options, grade)
    if options.rules:
        notes += _apply_rules(options.rules, roster, found, results)
    _write(options.out, roster, found, results, notes)
    return 0


def _write(
    folder: Path,
    roster: "list[Entry]",
    found: "list[Submission]",
    results: "dict[str, Result]",
    notes: list[str],
) -> None:
    """Write all files into a folder, and print what needs a look."""
    from lab.chat.events import printable
    from lab.dissect.text import counted
    from lab.instructor import copies, outputs, pages, platforms, similarity

    labels = {one.id: one.label for one in roster}
    notes += [f"{labels[one]}: {remark}" for one, result in results.items() for remark in result.remarks]
    traces = {one: list(chain(*result.traces.values())) for one, result in results.items()}
    pairs = copies.find_pairs(traces)
    if many := copies.handed_in_by_many(traces):
        who = ", ".join(labels[one] for one in many)
        notes.append(f"{len(many)} handed in the same recording (the course's own?): {who}")
    written = outputs.write_grades(folder, roster, results, pairs)
    outputs.write_for_gradescope(folder / "gradescope", roster, results)
    similar = similarity.find_similar({one: result.code for one, result in results.items()})
    written.append(pages.write_pages(folder, roster, results, pairs, similar, notes))
    written.append(pages.write_similar(folder, roster, similar, found))
    feedback = {one.source.name: folder / "feedback" / f"{one.id}.html" for one in found}
    if again := platforms.write_feedback(folder / "feedback.zip", feedback):
        written.append(again)
    _print_notes(notes)
    for pair in pairs:
        print(printable(f"  same recording: {labels[pair.first]} and {labels[pair.second]}: {pair.evidence}"))
    graded = f"{len(results)} graded, {len(roster) - len(results)} on the roster handed in nothing"
    copied = f"{counted(len(pairs), 'pair')} with the same recording, {counted(len(similar), 'pair')} with similar code"
    print(f"{graded}, {copied}", *written, sep="\n")


def _print_notes(notes: list[str]) -> None:
    from lab.chat.events import printable

    for note in notes:
        print(f"  look: {printable(note)}")


def _find(
    options: argparse.Namespace, roster: "list[Entry]", folder: Path
) -> "tuple[list[Submission], list[str]]":
    """Return the submissions, and a line about each that is not one; a platform's zip is unpacked into ``folder``."""
    from lab.instructor import submissions, untrusted

    if options.submissions.is_dir():
        return submissions.find(options.submissions, roster, options.out)
    folder.mkdir()
    left_out = untrusted.unpack_download(options.submissions, folder)
    found, notes = submissions.find(folder, roster)
    return found, left_out + notes


def _misfit(options: argparse.Namespace, found: "list[Submission]", folder: Path) -> str | None:
    """Return why the course's key seems to be a wrong one, or None. Unpacks some submissions into ``folder``."""
    from lab.instructor import recordings

    fits: list[bool] = []
    for one in [] if options.any_course else found[:: -(-len(found) // SAMPLE)]:
        one.unpack(folder / one.id)
        examined = recordings.examine_apart(folder / one.id, one.id, options.course)
        if examined.right or examined.wrong_conversation:
            fits.append(bool(examined.right))
    if 2 * sum(fits) >= len(fits):
        return None
    fix = f"use --course KEY and the IDs as at recording (here {found[0].id!r}, ...), or --any-course"
    return f"{sum(fits)} of {len(fits)} recordings fit the course {options.course!r}: {fix}"


def _apply_rules(
    rules: "CourseRules", roster: "list[Entry]", found: "list[Submission]", results: "dict[str, Result]"
) -> list[str]:
    """Apply the course's rules to the results; return lines for the instructor."""
    from lab.instructor import course_rules, platforms

    times = {one.id: platforms.handed_in(one) for one in roster}
    late = {one.id: platforms.marked_late(one.source.name) for one in found}
    for one, result in results.items():
        course_rules.apply(rules, result, times[one], late[one])
    dated = rules.due or rules.dates
    if rules.percent_a_day and not dated and not any(late.values()):
        return ["nobody is late: course.toml has no due date"]
    canvas = {one.id for one in found if platforms.CANVAS.match(one.source.name)}  # says who is late
    unknown = sorted(one for one in results.keys() - canvas if dated and times[one] is None and not late[one])
    columns = " or ".join(platforms.SUBMITTED_COLUMNS)
    some = course_rules.name_some(unknown)
    return [f"taken as in time, since {columns} is empty: {some}"] if unknown else []


def _diagnosis(refusals: dict[str, str]) -> str:
    """Return why there is no sandbox here, and the fix, in a line."""
    from lab.instructor import sandbox
    from lab.net import namespace

    cause, fix = refusals[sandbox.NAMESPACES], "grade on Linux, in a virtual machine"
    if sys.platform.startswith("linux"):
        cause, fix = namespace.cause_of(cause, otherwise=fix)
        cause += f", and Landlock cannot stand in ({refusals[sandbox.LANDLOCK]})"
    return f"no sandbox here: {cause}. The fix: {fix}"
