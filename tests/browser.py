"""The system's Chromium, driven by Playwright; ``tests/conftest.py`` makes the fixtures known everywhere."""

import shutil

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]


# Not for the whole session: Playwright keeps an event loop running, and no other one can run beside it.
@pytest.fixture(scope="module")
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


def axe_findings(tab, within: str = "html") -> list:
    """Return what axe-core finds on the page, targets of less than 24 pixels included."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"rules": {"target-size": {"enabled": True}}}
    found = Axe().run(tab, context={"include": [[within]]}, options=options).response["violations"]
    return [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]
