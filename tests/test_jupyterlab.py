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

from tests.browser import browser, needs_browser
from tests.support import COMMANDS, ROOT, as_typed

START, SHEET = "notebooks/00_start_here.ipynb", "lab/exercises/sheet_02_handshake.py"
BOUND_S = 60
SPEAKS = "document.querySelector('.Toastify__toast, .jp-Dialog')"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """JupyterLab's address with its token. It has settings of its own here, as on a machine that never ran it."""
    folder = tmp_path_factory.mktemp("jupyter")
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    [command] = [command for command in COMMANDS if "lab notebooks" in command]
    words = [*as_typed(command), "--no-browser", "--port=0", "--ServerApp.port_retries=0", "--allow-root"]
    process = subprocess.Popen(
        words, cwd=ROOT, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
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


@needs_browser
@pytest.mark.maintainers
def test_it_opens_the_first_notebook_and_a_sheet_beside_it(address, tmp_path):
    with browser(tmp_path) as tab:
        tab.call("Network.enable")
        tab.call("Page.navigate", url=address)
        link = f"[...document.querySelectorAll('.jp-Notebook a')].find(one => one.href.includes('{SHEET}'))"
        tab.wait_until(
            f"document.querySelector('.jp-Notebook h1')?.innerText.includes('Start here') && {link}"
        )
        tab.call("Runtime.evaluate", expression=f"{link}.click()")
        tab.wait_until(
            "document.querySelector('.jp-FileEditor .cm-content')?.innerText.includes('parse_ethernet')"
        )
        titles = "[...document.querySelectorAll('.lm-DockPanel-tabBar .lm-TabBar-tabLabel')].map(one => one.innerText)"
        assert tab.value(titles) == [START.rpartition("/")[2], SHEET.rpartition("/")[2]]
        assert not tab.value(SPEAKS)
        asked = [
            one["params"]["request"]["url"]
            for one in tab.events
            if one["method"] == "Network.requestWillBeSent"
        ]
    host = urllib.parse.urlsplit(address).netloc
    assert {urllib.parse.urlsplit(url).netloc for url in asked} - {""} == {host}
