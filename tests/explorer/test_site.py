"""``python3 lab site``: the course as static pages."""

import re
from pathlib import Path

import pytest

from lab.commands import site
from tests.explorer.pages import SHIPPED
from tests.support import ROOT

LINK = re.compile(r'(?:href|src)="(?!data:|https?:|#)([^"#]+)')


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
    assert str(ROOT) not in whole and str(Path.home()) + "/" not in whole


@pytest.mark.maintainers
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(course, tab, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab.emulate_media(color_scheme=scheme)
    for page in [course / "index.html", *course.glob("notebooks/*.html"), *course.glob("sources/*02*.html")]:
        tab.goto(page.as_uri())
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], page.name


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    assert site.main([str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]
