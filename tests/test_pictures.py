"""The README's pictures: small enough for a page, and made again by ``python -m tests.pictures``."""

import subprocess
import sys

import pytest
from PIL import Image, ImageSequence

from tests import pictures
from tests.chat import screen
from tests.support import REFUSAL, ROOT

LIMITS = {
    "chat.png": 120_000,
    "exposure.png": 120_000,
    "explorer.png": 120_000,
    "live.gif": 1_500_000,
}  # bytes
MISSING = (
    screen.missing("openbox", "xdotool", "import", "convert", "chromium")
    or (refused := REFUSAL)
    and f"this system refuses namespaces: {refused}"
)


def check(folder) -> None:
    assert {path.name for path in folder.iterdir()} == set(LIMITS)
    for path in folder.iterdir():
        assert 10_000 < path.stat().st_size < LIMITS[path.name], f"{path}: an empty screen is smaller"
    with Image.open(folder / "live.gif") as moving:
        delays_ms = [frame.info["duration"] for frame in ImageSequence.Iterator(moving)]
    assert len(delays_ms) > 10 and 10_000 < sum(delays_ms) < 20_000


def test_the_pictures_that_ship_are_small():
    check(pictures.FOLDER)


@pytest.mark.maintainers
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_pictures_are_made_again(tmp_path):
    # In a process of its own, because this one may have a browser open.
    command = [sys.executable, "-m", "tests.pictures", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    check(tmp_path)
