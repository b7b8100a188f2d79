"""``python3 lab release DEST``: make the students' copy of the kit, as the folder DEST and as DEST.zip.

``--gradescope autograder.zip`` makes a zip for Gradescope instead, which grades there as ``lab grade`` does here.
"""

from pathlib import Path

from lab.commands import command_line, course_key, refuse
from lab.harness.student_profile import DEFAULT_KEY
from lab.instructor import gradescope, students_copy
from lab.instructor.roster import DEFAULT_KEY_REMARK, RosterError


def main(argv: list[str] | None = None) -> int:
    parser = command_line("release", "Make the students' copy and its zip, or an autograder for Gradescope.")
    add = parser.add_argument
    add("dest", type=Path, nargs="?", metavar="DEST", help="a folder that is not there yet")
    add("--gradescope", type=Path, metavar="ZIP", help="write the autograder; it contains the course's key")
    add("--roster", type=Path, metavar="CSV", help="the class list, with e-mail addresses (for --gradescope)")
    add(
        "--course",
        metavar="KEY",
        type=course_key,
        default=DEFAULT_KEY,
        help="the course's key (for --gradescope)",
    )
    options = parser.parse_args(argv)
    if bool(options.dest) == bool(options.gradescope) or bool(options.roster) != bool(options.gradescope):
        parser.error("give DEST, or --gradescope ZIP and --roster CSV")
    written = options.dest or options.gradescope
    try:
        if options.gradescope:
            if written.exists():
                return refuse("release", f"{written} is there already: choose a file that is not")
            count = gradescope.make_autograder(options.gradescope, options.roster, options.course)
            if options.course == DEFAULT_KEY:
                print(DEFAULT_KEY_REMARK)
            print(f"{options.gradescope}: {count} files; upload it as the assignment's autograder")
            return 0
        count = students_copy.release(options.dest)
    except (students_copy.ReleaseError, RosterError) as error:
        return refuse("release", error)
    except OSError as error:
        return refuse("release", f"cannot write {written}: {error.strerror or error}; choose another folder")
    print(f"{options.dest}: {count} files, without solutions, hidden checks, answer keys and the grader")
    print(f"{students_copy.zip_path(options.dest)}: the same as one file")
    print("There, `python3 lab check` reports 'not attempted' for every exercise.")
    return 0
