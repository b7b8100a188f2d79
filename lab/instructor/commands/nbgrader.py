"""``python3 lab nbgrader COURSE``: the sheets as nbgrader assignments, in COURSE/source."""

import argparse
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab nbgrader", description="Write the sheets for nbgrader.")
    parser.add_argument("course", type=Path, metavar="COURSE", help="nbgrader's course folder")
    options = parser.parse_args(argv)
    from lab.instructor import assignments, stubs  # imports nbformat, which takes seconds

    try:
        for path in assignments.write_assignments(options.course):
            print(path)
    except (OSError, stubs.MarkError) as error:
        print(f"nbgrader: {error}", file=sys.stderr)
        return 2
    return 0
