"""``python3 lab nbgrader COURSE``: the sheets as nbgrader assignments, in COURSE/source."""

from pathlib import Path

from lab.commands import command_line, file_fault, refuse


def main(argv: list[str] | None = None) -> int:
    parser = command_line("nbgrader", "Write the sheets for nbgrader.")
    parser.add_argument("course", type=Path, metavar="COURSE", help="nbgrader's course folder")
    options = parser.parse_args(argv)
    from lab.instructor import assignments, stubs  # imports nbformat, which takes seconds

    try:
        for path in assignments.write_assignments(options.course):
            print(path)
    except stubs.MarkError as error:
        return refuse("nbgrader", error)
    except OSError as error:
        return refuse("nbgrader", file_fault(error, options.course))
    return 0
