"""``python3 lab site``: the course as static pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lab.commands import site
from lab.explorer import course_site
from tests.browser import axe_findings
from tests.explorer.pages import SHIPPED
from tests.support import ROOT, copy_kit

LINK = re.compile(r'(?:href|src)="(?!data:|https?:|#)([^"#]+)')


pytestmark = pytest.mark.timeout(400)  # the whole course is run and rendered once


@pytest.fixture(scope="module")
def course(once):
    return once("site", lambda folder: site.main([str(folder / "course")])) / "course"


@pytest.mark.maintainers
def test_every_link_resolves_and_everything_is_linked(course):
    pages = sorted(course.rglob("*.html"))
    linked = {course / "index.html"}
    for page in pages:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
            linked.add((page.parent / target).resolve())
    assert {page.resolve() for page in pages} == {page.resolve() for page in linked}
    assert len(SHIPPED) > 30
    for path in SHIPPED:
        assert (course / path.relative_to(ROOT).with_suffix(".html")).exists()
    assert sum(path.stat().st_size for path in pages) <= 40_000_000


@pytest.mark.maintainers
def test_it_holds_outcomes_figures_and_no_answers(course):
    index = (course / "index.html").read_text(encoding="utf-8")
    assert "What you will be able to do" in index and "hours" in index
    assert len(list((course / "notebooks").iterdir())) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    whole = "".join(page.read_text(encoding="utf-8") for page in course.rglob("*.html"))
    assert "data:image/png" in whole and "# solution:" not in whole and "raise NotImplementedError" in whole
    first = (course / "notebooks" / "03_psh_and_payloads.html").read_text(encoding="utf-8")
    assert 'href="../captures/report-frame-1193.html"' in first and "widget-view" not in whole
    assert str(ROOT) not in whole and str(Path.home()) + "/" not in whole


@pytest.mark.maintainers
@pytest.mark.parametrize(("scheme", "notebooks"), [("light", "0[05-9]*"), ("dark", "05*")])
def test_axe_finds_nothing(course, tab, scheme, notebooks):
    tab.emulate_media(color_scheme=scheme)
    pages = [*course.glob(f"notebooks/{notebooks}.html"), *course.glob("sources/*02*.html")]
    assert len(pages) > 1
    for page in [course / "index.html", *pages]:
        tab.goto(page.as_uri())
        assert axe_findings(tab) == [], page.name


@pytest.fixture
def kit(tmp_path):
    """A copy of the kit with one notebook, which ``run(source)`` fills and makes a site of."""
    kit = copy_kit(tmp_path)
    shutil.rmtree(kit / "notebooks")
    (kit / "notebooks").mkdir()

    def run(source: str) -> subprocess.CompletedProcess:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, kit / "notebooks" / "one.ipynb")
        command = [sys.executable, "lab", "site", "course"]
        return subprocess.run(command, cwd=kit, capture_output=True, text=True, timeout=100)

    return kit, run


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("1 / 0", "lab site: one.ipynb fails: ZeroDivisionError: division by zero"),
        pytest.param(
            "import os; os._exit(1)",
            "lab site: one.ipynb cannot be run: Kernel died",
            marks=pytest.mark.maintainers,
        ),
    ],
)
def test_a_notebook_that_fails_leaves_one_line_and_no_site(kit, source, line):
    folder, run = kit
    done = run(source)
    assert done.returncode == 2 and re.fullmatch(r"\[\.+\] 0 of \d+  running one.ipynb\n", done.stdout)
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1
    assert not list(folder.glob("course*"))


def test_a_cell_that_does_not_end_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(course_site, "LONGEST_CELL_S", 1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("while True: pass")])
    nbformat.write(notebook, tmp_path / "long.ipynb")
    with pytest.raises(course_site.NotebookError, match=r"^long.ipynb: a cell takes longer than 1 s$"):
        course_site.render_notebook(tmp_path / "long.ipynb", tmp_path)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    assert site.main([str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert site.main([str(tmp_path / "file" / "course")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lab site: cannot write {tmp_path / 'file' / 'course'}: ") and "choose" in error


def test_what_an_interrupted_run_left_is_named(tmp_path, capsys):
    (tmp_path / "course.part").mkdir()
    assert site.main([str(tmp_path / "course")]) == 2
    assert f"{tmp_path / 'course.part'} is left from" in capsys.readouterr().err
    assert not (tmp_path / "course").exists()
