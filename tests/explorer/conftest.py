"""A browser for the tests of this room, and pages of captures in it."""

import shutil
from pathlib import Path

import pytest

from tests.explorer.pages import page_about

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def chromium():
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    sync_playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed"
    ).sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A new tab that fails the test if a script of the page fails."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        yield page
        assert errors == []


@pytest.fixture
def open_page(tab, tmp_path):
    """``open_page(captures, keys)`` shows the page about some captures, and returns the tab."""

    def show(*captures: Path, keys: Path | None = None, fragment: str = ""):
        path = tmp_path / "page.html"
        path.write_text(page_about(captures, keys), encoding="utf-8")
        tab.goto(path.as_uri() + fragment)
        return tab

    return show
