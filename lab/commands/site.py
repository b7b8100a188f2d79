"""``python3 lab site DIR``: write the course as a web site.

The notebooks are run, and each recording has a page.
"""

import sys
from pathlib import Path

from lab.commands import command_line, file_fault, refuse


def main(argv: list[str] | None = None) -> int:
    about = "Write the course as static pages, to look at or to put on a course server."
    parser = command_line("site", about)
    parser.add_argument("folder", metavar="DIR", type=Path, help="made if it does not exist; must be empty")
    folder = parser.parse_args(argv).folder.resolve()

    from lab.commands.report import manifest_entry
    from lab.explorer.course_site import NotebookError, make_site

    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            return refuse("site", f"{folder} is not an empty folder: name a new one")
        make_site(folder, manifest_entry, lambda line: print(line, file=sys.stderr, flush=True))
    except NotebookError as error:
        return refuse("site", error)
    except FileExistsError as error:
        return refuse("site", f"{error.filename} is left from a run that was interrupted: remove it")
    except OSError as error:
        return refuse("site", file_fault(error, folder))
    print(folder / "index.html")
    return 0
