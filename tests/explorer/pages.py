"""Pages about captures, each made once in a worker."""

import functools
from pathlib import Path

from lab.explorer.page import make_page


@functools.cache
def page_about(captures: tuple[Path, ...], keys: Path | None) -> str:
    return make_page([(path, None) for path in captures], (keys.read_bytes(),) if keys else ())
