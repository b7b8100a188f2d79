"""The chat runs on a bare Python: its imports are read, and its programs are started by an isolated interpreter."""

import ast
import subprocess
import sys

import pytest

from tests.support import ROOT

MODULES = sorted((ROOT / "lab" / "chat").rglob("*.py"))


def imports_of(source: str) -> set[str]:
    """Every module that the source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where an arrow points"
            found.add(node.module)
    return found


def foreign(modules: set[str]) -> set[str]:
    return {
        name
        for name in modules
        if not (name == "lab.chat" or name.startswith("lab.chat."))
        and name.split(".")[0] not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports_only_the_standard_library_and_itself(path):
    assert foreign(imports_of(path.read_text(encoding="utf-8"))) == set()


def test_and_the_twin_that_must_fail():
    assert foreign(imports_of("import numpy.linalg, os\ndef f():\n    from lab.harness import tap")) == {
        "numpy.linalg",
        "lab.harness",
    }


@pytest.mark.parametrize("program", ["server.py", "client.py"])
def test_starts_where_no_package_is_installed(program, tmp_path):
    """``-S -E -s``: no site-packages, no PYTHONPATH, no user folder."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-s", str(ROOT / "lab" / program), "--help"],
        capture_output=True, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "usage: lab/" in done.stdout, done.stderr
