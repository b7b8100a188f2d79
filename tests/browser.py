"""The system's Chromium, driven by Playwright; ``tests/conftest.py`` makes the fixtures known everywhere."""

import shutil

import pytest

# The shell, a package of its own in Debian, is the same engine without windows, for a third of the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
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


@pytest.fixture(scope="module")
def module_tab(chromium):
    with chromium.new_context() as context:
        yield context.new_page()


@pytest.fixture
def tab(module_tab):
    """A blank tab that fails the test if a script of the page fails.

    A module has one, since each new one is a new process. Nothing that a test did to it is left for the next.
    """
    errors = []
    listeners = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda message: errors.append(message.text),
    }
    module_tab.set_viewport_size({"width": 1280, "height": 800})
    module_tab.emulate_media(color_scheme="light")
    for event, listener in listeners.items():
        module_tab.on(event, listener)
    yield module_tab
    module_tab.evaluate("location.protocol === 'about:' || localStorage.clear()")
    for event, listener in listeners.items():
        module_tab.remove_listener(event, listener)
    module_tab.goto("about:blank")
    assert errors == []


def axe_findings(tab, within: str = "html") -> list:
    """Return what axe-core finds on the page, targets of less than 24 pixels included."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"rules": {"target-size": {"enabled": True}}}
    found = Axe().run(tab, context={"include": [[within]]}, options=options).response["violations"]
    return [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]
