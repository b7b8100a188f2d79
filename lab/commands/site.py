"""``python3 lab site DIR``: write the course as a web site.

The notebooks are run, and each recording has a page.
"""

import sys
from pathlib import Path

from lab.commands import command_line, file_fault, refuse


def main(argv: list[str] | None = None) -> int:
    parser = command_line(
        "site", "Write the course as static pages, to look at or to put on a course server."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="made if it does not exist; must be empty")
    folder = parser.parse_args(argv).folder

    from nbclient.exceptions import CellExecutionError

    from lab.commands.report import manifest_entry
    from lab.explorer.course_site import make_site

    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            return refuse("site", f"{folder} is not an empty folder: name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        make_site(folder, manifest_entry, lambda line: print(line, file=sys.stderr, flush=True))
    except OSError as error:
        return refuse("site", file_fault(error, folder))
    except CellExecutionError as error:
        return refuse("site", f"a notebook fails: {error.ename}: {error.evalue}")
    print(folder / "index.html")
    return 0
