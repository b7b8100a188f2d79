"""Pages of captures in a browser."""

from pathlib import Path

import pytest

from tests.explorer.pages import page_about


@pytest.fixture
def open_page(tab, tmp_path):
    """``open_page(captures, keys)`` shows the page about some captures, and returns the tab."""

    def show(*captures: Path, keys: Path | None = None, fragment: str = ""):
        path = tmp_path / "page.html"
        path.write_text(page_about(captures, keys), encoding="utf-8")
        tab.goto(path.as_uri() + fragment)
        return tab

    return show
