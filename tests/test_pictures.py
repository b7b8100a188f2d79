"""The README's pictures: small enough for a page, and made again by ``python -m tests.pictures``."""

import pytest

from tests import pictures
from tests.chat import screen
from tests.support import REFUSAL

NAMES = {"chat.png", "exposure.png"}
LIMIT_BYTES = 120_000
MISSING = (
    screen.missing("openbox", "xdotool", "import", "convert")
    or (refused := REFUSAL)
    and f"this system refuses namespaces: {refused}"
)


def check(folder) -> None:
    assert {path.name for path in folder.iterdir()} == NAMES
    for path in folder.iterdir():
        assert 10_000 < path.stat().st_size < LIMIT_BYTES, f"{path}: an empty screen is smaller"


def test_the_pictures_that_ship_are_small():
    check(pictures.FOLDER)


@pytest.mark.maintainers
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_pictures_are_made_again(tmp_path):
    assert pictures.main([str(tmp_path)]) == 0
    check(tmp_path)
