"""The course as a web site: static pages with relative links.

index.html          what the course teaches, and everything in its order
notebooks/          each notebook, run and rendered with its figures; no answers are in them
captures/           the explorer's page of each recording
sources/            the exercise sheets, and every other file that a notebook links to
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import markupsafe

from lab.explorer.page import explorer_page, read_style, render
from lab.explorer.summary import Entry
from lab.setup.paths import ROOT

LINK = re.compile(r'href="(?!#|https?:)([^"#]+)(#[^"]*)?"')
LEFT_OUT = (".*", "mine", "demo", "__pycache__", "dist")  # of the copy that the notebooks run in
SHIPPED = ("", "chat", "lessons", "paced", "today")  # folders of captures/
LONGEST_CELL_S = 100
WIDGET = "application/vnd.jupyter.widget-view+json"
Say = Callable[[int, int, str], None]  # called with what is done, the total, and what is next
FindEntry = Callable[[Path], Entry | None]  # a capture's entry in the manifest beside it


class NotebookError(Exception):
    """A notebook that could not be run to its end."""


def make_site(folder: Path, find_entry: FindEntry, say: Say) -> None:
    """Write the site into a new folder, or into an empty one. Raises OSError or NotebookError; then there is no folder."""
    partial = folder.with_name(folder.name + ".part")
    partial.mkdir(parents=True)
    try:
        _write_pages(partial, find_entry, say)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_pages(folder: Path, find_entry: FindEntry, say: Say) -> None:
    captures = [path for name in SHIPPED for path in sorted((ROOT / "captures" / name).glob("*.pcapng"))]
    linked: set[Path] = set((ROOT / "lab" / "exercises").glob("sheet_*.py"))
    sources = sorted((ROOT / "notebooks").glob("*.ipynb"))
    total = len(sources) + len(captures)
    notebooks: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        for path in sources:
            say(len(notebooks), total, f"running {path.name}")
            title, body, found = render_notebook(path, Path(copy) / "notebooks")
            linked |= found
            notebooks.append((f"notebooks/{path.stem}.html", title))
            _write(folder / "notebooks" / f"{path.stem}.html", "site.html", title=title, body=body)
    for done, path in enumerate(captures, len(notebooks)):
        say(done, total, f"a page for {path.name}")
        keys = path.with_suffix(".keys")  # those of a shipped recording are public
        key_logs = (keys.read_bytes(),) if keys.exists() else ()
        page, _ = explorer_page([(path, find_entry(path))], key_logs)
        _write_text(folder / capture_page(path), page)
    say(total, total, "pages")
    for path in linked:
        text = path.read_text(encoding="utf-8")
        _write(folder / source_page(path), "source.html", title=path.name, text=text)
    sheets = [(source_page(path), path.name) for path in sorted(linked) if "exercises" in path.parts]
    recordings = [(capture_page(path), "/".join(path.parts[-2:])) for path in captures]
    lists = {"Notebooks": notebooks, "Exercises": sheets, "Recordings": recordings}
    _write(folder / "index.html", "index.html", outcomes=_outcomes(), lists=lists)


def render_notebook(path: Path, run_in: Path) -> tuple[str, markupsafe.Markup, set[Path]]:
    """Run a notebook; return its title, itself as HTML, and the files of the kit that it links to.

    Raises NotebookError.
    """
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    _run(notebook, path.name, run_in)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)  # the links beside it remain
    left_out = ("exclude_input_prompt", "exclude_output_prompt", "exclude_anchor_links")
    body, _ = HTMLExporter(template_name="basic", **dict.fromkeys(left_out, True)).from_notebook_node(
        notebook
    )
    linked: set[Path] = set()

    def follow(match: re.Match[str]) -> str:
        target = (path.parent / match[1]).resolve()
        if target.suffix == ".ipynb":
            return f'href="{target.stem}.html{match[2] or ""}"'
        if target.suffix == ".pcapng":
            return f'href="../{capture_page(target)}{match[2] or ""}"'
        linked.add(target)
        return f'href="../{source_page(target)}"'

    body = body.replace("<th></th>", "<td></td>")  # of a pandas table: a heading must not be empty
    title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
    return title, markupsafe.Markup(LINK.sub(follow, body)), linked


def _run(notebook: Any, name: str, run_in: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    options: dict[str, Any] = {"resources": {"metadata": {"path": str(run_in)}}, "kernel_name": "python3"}
    options["extra_arguments"] = ["--log-level=ERROR"]  # or each warns of TCP, on this machine alone
    try:
        NotebookClient(notebook, timeout=LONGEST_CELL_S, store_widget_state=False, **options).execute()
    except CellExecutionError as error:
        raise NotebookError(f"{name} fails: {error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        raise NotebookError(f"{name}: a cell takes longer than {LONGEST_CELL_S} s") from error
    except RuntimeError as error:  # also nbclient's DeadKernelError
        raise NotebookError(f"{name} cannot be run: {error}") from error


def source_page(path: Path) -> str:
    """Return where the text of a file of the kit stands in the site."""
    return "sources/" + "-".join(path.relative_to(ROOT).parts) + ".html"


def capture_page(path: Path) -> str:
    """Return where the explorer's page of a recording stands in the site."""
    return path.relative_to(ROOT).with_suffix(".html").as_posix()


def _outcomes() -> markupsafe.Markup:
    """Return the README's outcomes and hours as HTML."""
    from nbconvert.filters import markdown2html

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    outcomes = readme.partition("## What you will be able to do")[2].partition('\n"The report"')[0]
    return markupsafe.Markup(markdown2html("## What you will be able to do" + outcomes))


def _write(path: Path, template: str, **values: object) -> None:
    _write_text(path, render(template, style=read_style(), **values))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
