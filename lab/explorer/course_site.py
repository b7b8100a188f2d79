"""The course as a web site: static pages with relative links.

index.html          what the course teaches, and everything in its order
notebooks/          each notebook, run and rendered with its figures; no answers are in them
captures/           the explorer's page of each recording
sources/            the exercise sheets, and every other file that a notebook links to
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
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
Say = Callable[[str], None]
FindEntry = Callable[[Path], Entry | None]  # a capture's entry in the manifest beside it


def make_site(folder: Path, find_entry: FindEntry, say: Say) -> None:
    """Write the site into a folder. Raises OSError; ``nbclient.exceptions.CellExecutionError`` if a notebook fails."""
    notebooks, captures = sorted((ROOT / "notebooks").glob("*.ipynb")), sorted(_captures())
    linked: set[Path] = set((ROOT / "lab" / "exercises").glob("sheet_*.py"))
    titles = {}
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        for path in notebooks:
            say(f"  running {path.name}")
            body, found = render_notebook(path, Path(copy) / "notebooks")
            titles[path] = title_of(path)
            linked |= found
            _write(folder / "notebooks" / f"{path.stem}.html", titles[path], body)
    for path in captures:
        say(f"  a page for {path.name}")
        target = folder / capture_page(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(explorer_page([(path, find_entry(path))], tuple(_keys(path)))[0], encoding="utf-8")
    for path in linked:
        text = markupsafe.Markup("<h1>{}</h1><pre>{}</pre>")
        _write(
            folder / source_page(path), path.name, text.format(path.name, path.read_text(encoding="utf-8"))
        )
    (folder / "index.html").write_text(_index(titles, captures, linked), encoding="utf-8")


def render_notebook(path: Path, run_in: Path) -> tuple[markupsafe.Markup, set[Path]]:
    """Run a notebook and return it as HTML, with the files of the kit that it links to."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(run_in)}}
    NotebookClient(notebook, timeout=LONGEST_CELL_S, kernel_name="python3", resources=resources).execute()
    shown: dict[str, Any] = {
        "exclude_input_prompt": True,
        "exclude_output_prompt": True,
        "exclude_anchor_links": True,
    }
    body, _ = HTMLExporter(template_name="basic", **shown).from_notebook_node(notebook)
    linked: set[Path] = set()

    def follow(match: re.Match[str]) -> str:
        target = (path.parent / match[1]).resolve()
        if target.suffix == ".ipynb":
            return f'href="{target.stem}.html{match[2] or ""}"'
        linked.add(target)
        return f'href="../{source_page(target)}"'

    body = body.replace("<th></th>", "<td></td>")  # of a pandas table: a heading must not be empty
    return markupsafe.Markup(LINK.sub(follow, body)), linked


def source_page(path: Path) -> str:
    """Return where the text of a file of the kit stands in the site."""
    return "sources/" + "-".join(path.relative_to(ROOT).parts) + ".html"


def capture_page(path: Path) -> str:
    """Return where the explorer's page of a recording stands in the site."""
    return path.relative_to(ROOT).with_suffix(".html").as_posix()


def title_of(notebook: Path) -> str:
    found = re.search(r'"# (.*?)(\\n)?"', notebook.read_text(encoding="utf-8"))
    return found[1] if found else notebook.stem


def _captures() -> Iterator[Path]:
    for folder in (ROOT / "captures" / name for name in SHIPPED):
        yield from folder.glob("*.pcapng")


def _keys(capture: Path) -> Iterator[bytes]:
    """Yield the key log beside a shipped recording; the keys of a shipped recording are public."""
    keys = capture.with_suffix(".keys")
    if keys.exists():
        yield keys.read_bytes()


def _write(path: Path, title: str, body: markupsafe.Markup) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render("site.html", title=title, body=body, style=read_style(), home="../index.html")
    path.write_text(page, encoding="utf-8")


def _index(titles: dict[Path, str], captures: list[Path], linked: set[Path]) -> str:
    """Return the first page: the README's outcomes and hours, then everything by its order."""
    from nbconvert.filters import markdown2html

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    outcomes = readme.partition("## What you will be able to do")[2].partition('\n"The report"')[0]
    parts = [
        markupsafe.Markup(markdown2html("## What you will be able to do" + outcomes)),
        _list("Notebooks", [(f"notebooks/{path.stem}.html", title) for path, title in titles.items()]),
        _list(
            "Exercises",
            [(source_page(path), path.name) for path in sorted(linked) if "exercises" in path.parts],
        ),
        _list("Recordings", [(capture_page(path), "/".join(path.parts[-2:])) for path in captures]),
    ]
    body = markupsafe.Markup("\n").join(parts)
    return render("site.html", title="A packet-capture lab", body=body, style=read_style(), home="")


def _list(heading: str, links: list[tuple[str, str]]) -> markupsafe.Markup:
    rows = (markupsafe.Markup('<li><a href="{}">{}</a></li>').format(*link) for link in links)
    return markupsafe.Markup("<h2>{}</h2><ul>{}</ul>").format(heading, markupsafe.Markup("").join(rows))
