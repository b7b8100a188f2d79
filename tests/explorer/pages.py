"""Pages about captures, each made once in a worker."""

import functools
from pathlib import Path

from lab.explorer.page import make_page
from tests.support import CAPTURES

OF_THE_READER = {"mine", "demo"}  # folders of captures/ whose files come and go
SHIPPED = sorted(path for path in CAPTURES.rglob("*.pcapng") if not OF_THE_READER & set(path.parts))


@functools.cache
def page_about(captures: tuple[Path, ...], keys: Path | None) -> str:
    return make_page([(path, None) for path in captures], (keys.read_bytes(),) if keys else ())
