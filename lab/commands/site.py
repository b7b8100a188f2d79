"""``python3 lab site DIR``: write the course as a web site.

The notebooks are run, and each recording has a page.
"""

from pathlib import Path

from lab.commands import command_line, print_bar, refuse


def main(argv: list[str] | None = None) -> int:
    about = "Write the course as static pages, to look at or to put on a course server (some minutes)."
    parser = command_line("site", about)
    parser.add_argument("folder", metavar="DIR", type=Path, help="made if it does not exist; must be empty")
    folder = parser.parse_args(argv).folder.resolve()

    from lab.commands.report import manifest_entry
    from lab.explorer.course_site import NotebookError, make_site

    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            return refuse("site", f"{folder} is not an empty folder: name a new one")
        make_site(folder, manifest_entry, print_bar)
    except NotebookError as error:
        return refuse("site", error)
    except FileExistsError as error:
        return refuse("site", f"{error.filename} is left from a run that was interrupted: remove it")
    except OSError as error:
        return refuse("site", f"cannot write {folder}: {error.strerror or error}; choose another folder")
    print(folder / "index.html")
    return 0
