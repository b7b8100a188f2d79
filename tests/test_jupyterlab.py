"""JupyterLab as the README starts it: in a real browser, and gone afterwards."""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.browser import axe_findings
from tests.support import COMMANDS, as_typed, copy_kit

START, SHEET = "notebooks/00_start_here.ipynb", "lab/exercises/sheet_02_handshake.py"
BOUND_S = 60


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of the kit, so that JupyterLab saves nothing into the checkout."""
    return copy_kit(tmp_path_factory.mktemp("jupyterlab"))


@pytest.fixture(scope="module")
def address(kit, tmp_path_factory):
    """JupyterLab's address with its token. It has settings of its own here, as on a machine that never ran it."""
    folder = tmp_path_factory.mktemp("jupyter")
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    [command] = [command for command in COMMANDS if "lab notebooks" in command]
    words = [*as_typed(command), "--no-browser", "--port=0", "--ServerApp.port_retries=0", "--allow-root"]
    process = subprocess.Popen(
        words, cwd=kit, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://127\S+", line)))
        deadline = time.monotonic() + BOUND_S
        while not answers(
            address
        ):  # it prints its address before it listens, and a signal in between is lost
            assert process.poll() is None and time.monotonic() < deadline
        yield address
        process.terminate()
        process.communicate(timeout=BOUND_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0


def answers(address: str) -> bool:
    try:
        return bool(get(address, "/api/status"))
    except urllib.error.URLError:
        time.sleep(0.05)
        return False


def get(address: str, path: str):
    """What the server answers at a path, as JSON."""
    parts = urllib.parse.urlsplit(address)
    with urllib.request.urlopen(parts._replace(path=path).geturl(), timeout=BOUND_S) as answer:
        return json.load(answer)


def test_the_notebooks_and_the_sheets_are_served(address):
    for path in (START, SHEET):
        assert get(address, f"/api/contents/{path}")["path"] == path


def test_it_asks_for_no_news_and_no_updates(address):
    settings = get(address, "/lab/api/settings/@jupyterlab/apputils-extension:notification")
    properties = settings["schema"]["properties"]
    assert (properties["fetchNews"]["default"], properties["checkForUpdates"]["default"]) == ("false", False)


@pytest.mark.maintainers
def test_it_opens_the_first_notebook_and_a_sheet_beside_it(address, chromium):
    tab = chromium.new_page()
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(address)
    tab.locator(".jp-Notebook h1", has_text="Start here").wait_for(timeout=BOUND_S * 1000)
    tab.locator(f".jp-Notebook a[href*='{SHEET}']").click()
    tab.locator(".jp-FileEditor .cm-content", has_text="parse_ethernet").wait_for()
    titles = tab.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel").all_inner_texts()
    assert titles == [START.rpartition("/")[2], SHEET.rpartition("/")[2]]
    assert tab.locator(".Toastify__toast, .jp-Dialog").count() == 0
    tab.close()
    host = urllib.parse.urlsplit(address).netloc
    assert {urllib.parse.urlsplit(url).netloc for url in asked} - {""} == {host}


CELLS = [
    "from lab import explorer\nexplorer.explore('captures/chat/plain.pcapng', 'captures/chat/tls13.pcapng',"
    " keys='captures/chat/tls13.keys')",
    "explorer.explore('captures/report-frame-1193.pcapng')",
]


@pytest.fixture
def explorers(kit, address, chromium):
    """A notebook with two explorers, all cells run, in a tab."""
    import nbformat

    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), kit / "explorers.ipynb")
    tab, errors = chromium.new_page(viewport={"width": 1280, "height": 800}), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    place = "/lab/workspaces/own/tree/explorers.ipynb"
    tab.goto(urllib.parse.urlsplit(address)._replace(path=place).geturl())
    # Before the kernel is idle, no cell is run.
    tab.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=BOUND_S * 1000)
    tab.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    for number in range(len(CELLS)):
        tab.keyboard.press("Shift+Enter")
        tab.locator(".explorer").nth(number).wait_for(timeout=BOUND_S * 1000)
    yield tab
    tab.close()
    assert errors == []


@pytest.mark.maintainers
@pytest.mark.timeout(240)
def test_an_explorer_in_a_notebook_keeps_its_keys_to_itself(explorers):
    tab, [first, second] = explorers, [explorers.locator(".explorer").nth(i) for i in (0, 1)]
    before = tab.locator(".jp-Notebook .jp-Cell").count()
    first.locator(".frames").focus()
    for key in ("b", "a", "x", "d", "d", "f", "ArrowDown"):  # JupyterLab's own: insert, cut and delete cells
        tab.keyboard.press(key)
    assert tab.locator(".jp-Notebook .jp-Cell").count() == before
    assert chosen(first) == "2" and chosen(second) == "1"
    tab.keyboard.press("/")
    tab.keyboard.type('chat.text contains "hello"')
    assert first.locator("output").inner_text().startswith("3 of 150")
    tab.locator(".jp-CodeCell .jp-InputPrompt").first.click()
    tab.keyboard.press("b")  # and now it is JupyterLab's
    tab.locator(".jp-Notebook .jp-Cell").nth(before).wait_for()
    first.locator(".frames").focus()
    tab.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    tab.keyboard.press("Escape")
    tab.keyboard.press("b")
    tab.locator(".jp-Notebook .jp-Cell").nth(before + 1).wait_for()
    assert chosen(second) == "1" and first.locator(".tour").is_hidden()


@pytest.mark.maintainers
@pytest.mark.timeout(240)
def test_an_explorer_in_a_notebook_answers_like_the_page(explorers):
    tab, [first, second] = explorers, [explorers.locator(".explorer").nth(i) for i in (0, 1)]
    second.locator(".tree li", has_text="Destination port").click()
    lit = second.locator(".byte[aria-selected=true]").all_inner_texts()
    assert lit == ["db", "a4"] and "Destination port" in second.locator(".meaning").inner_text()
    first.get_by_role("button", name="Side by side").click()
    first.locator(".twin tbody tr").first.locator("td").nth(1).get_by_role("button").first.click()
    first.get_by_role("button", name="Unlock").click()
    first.locator(".tabs button").nth(1).click()
    assert "hello" in first.locator(".tree").inner_text()
    assert first.evaluate("root => root.scrollWidth <= root.parentNode.host.clientWidth")
    assert axe_findings(tab, ".jp-OutputArea-output") == []


def chosen(explorer) -> str:
    return explorer.locator("[data-frame][aria-selected=true]").get_attribute("data-frame")
