"""Measure lab live in Chromium: from Return to the frame on the screen, with few and with many frames recorded.

    python -m tests.bench.live [FRAMES]

Prints milliseconds (median, the largest of 40), the memory of the web server's process, and whether a frame was lost.
"""

import re
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import BROWSER, OPTIONS
from tests.explorer.lecture import lecture

LINES_AT_ONCE = 100
SAY = """async ([lines, pause_ms]) => {
  const input = document.querySelector("[aria-label='Brandon says']");
  for (const line of lines) {
    input.value = line;
    input.form.requestSubmit();
    await new Promise(done => setTimeout(done, pause_ms));
  }
}"""
MEASURE = """line => new Promise(done => {
  const rows = document.querySelector(".frames .rows"), started = performance.now();
  const observer = new MutationObserver(() => {
    if (![...rows.querySelectorAll(".info")].some(info => info.textContent.includes(line))) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
  });
  observer.observe(rows, { childList: true, subtree: true });
  const input = document.querySelector("[aria-label='John says']");
  input.value = line;
  input.form.requestSubmit();
})"""


def main(arguments: list[str]) -> int:
    wanted = int(arguments[0]) if arguments else 5_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        with lecture(Path(folder)) as running:
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(running.address)
            tab.wait_for_selector("[aria-label='Brandon says']:enabled")
            report(tab, running)
            while frames(tab) < wanted:
                tab.evaluate(SAY, [[f"line {number}" for number in range(LINES_AT_ONCE)], 20])
            report(tab, running)
            print(running.end()[0].splitlines()[0])
        browser.close()
    return 0


def frames(tab) -> int:
    return int(re.search(r"(\d+) frames", tab.inner_text("[role=status]"))[1])


def report(tab, running) -> None:
    """Print the time from Return to the frame, and the server's memory."""
    times = [tab.evaluate(MEASURE, f"measured {number} of {frames(tab)}") for number in range(40)]
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    memory = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024
    print(
        f"{frames(tab):>6} frames: {statistics.median(times):.0f} ms, at most {max(times):.0f} ms; {memory} MiB"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
