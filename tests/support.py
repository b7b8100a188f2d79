"""What tests of several rooms use: paths, the README's commands, a copy of the kit, reasons to skip."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.net import namespace

if TYPE_CHECKING:
    import nbformat

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "captures"
CHAT = CAPTURES / "chat"
FRAME_1193 = bytes.fromhex(
    "18c04ddfaa43c6fe50adabdc080045000037cb454000400623f50a1b1b830a1b"
    "1bce26aadba406e51bfa68086395501801f6630c00003c4272616e646f6e3e2068656c6c6f"
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
REFUSAL = namespace.refusal()
needs_namespaces = pytest.mark.skipif(
    REFUSAL is not None, reason=f"this system refuses namespaces: {REFUSAL}"
)
NOT_OF_THE_KIT = (".git", ".venv", "__pycache__", "demo", "mine", ".pytest_cache", ".hypothesis", "dist")


def some_of(values, every: int = 3) -> list:
    """Return the values as parameters of a test: every third for everyone, the others for maintainers."""
    return [
        pytest.param(one, marks=pytest.mark.maintainers if i % every else ()) for i, one in enumerate(values)
    ]


def only(values, *chosen) -> list:
    """Return the values as parameters of a test: the chosen ones for everyone, the others for maintainers."""
    assert set(chosen) <= set(values)
    return [pytest.param(one, marks=() if one in chosen else pytest.mark.maintainers) for one in values]


def shared_folder(tmp_path_factory) -> Path:
    """A temporary folder that all workers of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def as_typed(command: str) -> list[str]:
    """Return the words of a command, with this Python for ``python3`` and for that of the set-up."""
    words = shlex.split(command)
    assert words[0] in ("python3", ".venv/bin/python"), f"what is this? {command}"
    return [sys.executable, *words[1:]]


def read_cells(path: Path, kind: str) -> list[dict]:
    """Read a notebook's cells of one kind, each with its source as one text, without nbformat."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells if cell["cell_type"] == kind]


def read_notebook(path: Path) -> "nbformat.NotebookNode":
    """Read a notebook. The import takes seconds, so it is not where tests are collected."""
    import nbformat

    return nbformat.read(path, as_version=4)


def run_notebook(notebook: "nbformat.NotebookNode", kit: Path) -> None:
    """Run all cells where a student would, in ``notebooks/`` of a copy of the kit."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(kit / "notebooks")}}
    NotebookClient(notebook, timeout=400, kernel_name="python3", resources=resources).execute()


def copy_kit(folder: Path) -> Path:
    """Copy the kit without what running it has made; return the copy, ``folder / "kit"``."""
    return shutil.copytree(ROOT, folder / "kit", ignore=shutil.ignore_patterns(*NOT_OF_THE_KIT))


def processes_marked(mark: str) -> list[str]:
    """The command lines of all processes whose environment holds this: helpers have sessions of their own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it has just ended, or it is another user's
    return found
