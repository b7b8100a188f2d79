"""``python3 lab test``: pytest on the kit's own tests; whatever stands after it goes to pytest."""

import os
import sys
from pathlib import Path

from lab.environment import ROOT


def main(argv: list[str] | None = None) -> int:
    import pytest

    arguments = list(sys.argv[1:] if argv is None else argv)
    if not any(Path(argument.split("::")[0]).exists() for argument in arguments if not argument.startswith("-")):
        os.chdir(ROOT)
    return int(pytest.main(["--rootdir", str(ROOT), "--config-file", str(ROOT / "pyproject.toml"), *arguments]))
