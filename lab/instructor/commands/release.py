"""``python3 lab release DEST``: make the students' copy of the kit, as the folder DEST and as DEST.zip."""

from pathlib import Path

from lab.commands import command_line, file_fault, refuse
from lab.instructor import students_copy


def main(argv: list[str] | None = None) -> int:
    parser = command_line("release", "Make the students' copy and its zip.")
    parser.add_argument("dest", type=Path, metavar="DEST", help="a folder that is not there yet")
    options = parser.parse_args(argv)
    try:
        count = students_copy.release(options.dest)
    except students_copy.ReleaseError as error:
        return refuse("release", error)
    except OSError as error:
        return refuse("release", f"cannot write {file_fault(error, options.dest)}")
    print(f"{options.dest}: {count} files, without solutions, hidden checks, answer keys and the grader")
    print(f"{students_copy.zip_path(options.dest)}: the same as one file")
    print("In there, python3 lab check reads 'not attempted' for every exercise.")
    return 0
