"""How long a page of the explorer takes to build, to open and to filter: ``python -m tests.bench.explorer``.

Builds the page of a conversation of 150 frames, and of 20,000 frames of generated traffic, each as a user does
(``python3 lab report``), and opens it in Chromium. Open is what has a frame selected, its bytes shown.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import end_on_sigterm
from tests.bench.dissect import make
from tests.browser import BROWSER, OPTIONS
from tests.support import CAPTURES, ROOT

DEMANDED = {
    150: {"MB": 1.5, "open": 1},
    20_000: {"built": 20, "open": 3},
}  # at most, in seconds and megabytes
SHOWN = "document.querySelector('.frames [aria-selected=true]') && document.querySelector('.bytes .byte')"


def measure(browser, capture: Path, page: Path) -> dict[str, float]:
    """Return the page's size in MB, and the seconds to build it, to open it and to filter it."""
    begin = time.perf_counter()
    command = [sys.executable, "lab", "report", str(capture), "-o", str(page)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    found = {"built": time.perf_counter() - begin, "MB": page.stat().st_size / 1e6}
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        tab = context.new_page()
        begin = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_function(SHOWN)
        found["open"] = time.perf_counter() - begin
        begin = time.perf_counter()
        tab.fill("#filter", "tcp.len > 0 && tcp.flags.push == 1")
        tab.locator("#filter-answer", has_text=" of ").wait_for()
        found["filtered"] = time.perf_counter() - begin
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is printed; default: 3")
    options = parser.parse_args(argv)
    end_on_sigterm()
    from playwright.sync_api import sync_playwright

    missed = 0
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        make(folder / "many.pcapng", 20_000)
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        for count, capture in ((150, CAPTURES / "chat" / "plain.pcapng"), (20_000, folder / "many.pcapng")):
            runs = [measure(browser, capture, folder / "page.html") for _ in range(options.runs)]
            median = {what: sorted(run[what] for run in runs)[len(runs) // 2] for what in runs[0]}
            over = [what for what, most in DEMANDED[count].items() if median[what] > most]
            missed += len(over)
            figures = ", ".join(
                f"{what} {value:.2f}" + (" (too much)" if what in over else "")
                for what, value in median.items()
            )
            print(f"{count:>6} frames: {figures}")
        browser.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
