"""The README's pictures of pages in Chromium; ``tests.pictures`` makes them with the others.

``live.gif`` is ``lab live --play``: the kit's script speaks, and in the middle the chat goes over to TLS 1.3.
``explorer.png`` is the page of ``lab report`` about the capture in plaintext, at a line that was said.
"""

import base64
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab.commands.report import main as report
from lab.setup.paths import ROOT
from tests.browser import BROWSER, OPTIONS
from tests.explorer.lecture import lecture

WIDTH, HEIGHT = 1280, 800
LIVE_S, TLS_AFTER_S, LAST_S = 16.0, 9.0, 2.0  # seconds
SIZE = "960x600"  # pixels, of the GIF
PICTURE_S = 0.5  # between two pictures of the GIF, at least
COLOURS = 32


@contextlib.contextmanager
def tab() -> Iterator:
    """Yield a tab of the browser."""
    from playwright.sync_api import sync_playwright  # not where the tests are collected

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        browser.close()


def draw_live(path: Path) -> None:
    """Let the script speak, go over to TLS, and put the pictures together."""
    shots: list[tuple[float, bytes]] = []  # when each was shown, in seconds, and the PNG

    with tempfile.TemporaryDirectory() as folder, tab() as page, lecture(Path(folder), "--play") as running:
        browser = page.context.new_cdp_session(page)

        def take(event: dict) -> None:
            browser.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
            shown = event["metadata"]["timestamp"]
            if shots and shown - shots[-1][0] < PICTURE_S:
                shown = shots.pop()[0]  # show the later one, and earlier
            shots.append((shown, base64.b64decode(event["data"])))

        browser.on("Page.screencastFrame", take)
        page.goto(running.address)
        page.wait_for_selector("[data-frame]")
        browser.send("Page.startScreencast", {"format": "png", "maxWidth": 960, "maxHeight": 600})
        page.wait_for_timeout(1000 * TLS_AFTER_S)
        page.click("button:text-is('TLS 1.3')")
        page.wait_for_timeout(1000 * (LIVE_S - TLS_AFTER_S))
        browser.send("Page.stopScreencast")
        shots.append((time.time(), page.screenshot()))  # the end, whatever the browser still owed
    _animate(shots, path)


def _animate(shots: list[tuple[float, bytes]], path: Path) -> None:
    ends = [shown for shown, _ in shots[1:]] + [shots[-1][0] + LAST_S]
    with tempfile.TemporaryDirectory() as folder:
        command = ["convert", "-loop", "0"]
        for number, ((shown, png), end) in enumerate(zip(shots, ends, strict=True)):
            file = Path(folder) / f"{number:03}.png"
            file.write_bytes(png)
            command += ["-delay", str(round(100 * (end - shown))), str(file)]
        command += [
            "-resize",
            SIZE,
            "+dither",
            "-colors",
            str(COLOURS),
            "+remap",
            "-layers",
            "optimize",
            str(path),
        ]
        subprocess.run(command, check=True, timeout=300)


def explorer_picture() -> bytes:
    """Return a PNG of the frame of "<Brandon> hello" with its fields and bytes."""
    with tempfile.TemporaryDirectory() as folder, tab() as page:
        html = Path(folder) / "page.html"
        report([str(ROOT / "captures" / "chat" / "plain.pcapng"), "--out", str(html)])
        page.goto(f"{html.as_uri()}#frame-29")
        page.locator(".tree li", has_text="text").last.click()
        return page.screenshot()
