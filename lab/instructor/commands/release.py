"""``python3 lab release DEST``: make the students' copy of the kit, as the folder DEST and as DEST.zip."""

import argparse
import sys
from pathlib import Path

from lab.instructor import students_copy


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab release", description="Make the students' copy and its zip.")
    parser.add_argument("dest", type=Path, metavar="DEST", help="a folder that is not there yet")
    options = parser.parse_args(argv)
    try:
        count = students_copy.release(options.dest)
    except students_copy.ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print(f"release: cannot write {error.filename or options.dest}: {reason}", file=sys.stderr)
        return 2
    print(f"{options.dest}: {count} files, without solutions, hidden checks, answer keys and the grader")
    print(f"{students_copy.zip_path(options.dest)}: the same as one file")
    print("In there, python3 lab check reads 'not attempted' for every exercise.")
    return 0
