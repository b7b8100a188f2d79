"""Every notebook runs top to bottom, as it ships and with fresh recordings (with --all; else a sample), and stays thin."""

import os
import re

import pytest

from tests.support import ROOT, copy_kit

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 10  # of code in a cell; anything longer is a function in lab/, with a test
BOUND_S = 100
FOR_EVERYONE = {
    "01_first_look.ipynb",
    "03_psh_and_payloads.ipynb",
    "05_plaintext_or_tls.ipynb",
    "07_threads.ipynb",
}
AFRESH = {"04_byte_stream.ipynb"}  # (and 00 runs in the students' copy, see grading/test_release)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the kit to run them in: a student's own recordings in captures/mine stay as they are."""
    return copy_kit(tmp_path_factory.mktemp("notebooks"))


def notebooks(for_everyone: set[str]) -> list:
    """All of them as parameters of a test; only maintainers run it with the others."""
    assert for_everyone <= {path.name for path in NOTEBOOKS}
    return [
        pytest.param(path, id=path.name, marks=() if path.name in for_everyone else pytest.mark.maintainers)
        for path in NOTEBOOKS
    ]


def read(path):
    import nbformat  # its import takes seconds, so not where tests are collected

    return nbformat.read(path, as_version=4)


def run(notebook, kit) -> list:
    from nbclient import NotebookClient

    NotebookClient(
        notebook, timeout=BOUND_S, resources={"metadata": {"path": str(kit / "notebooks")}}
    ).execute()
    return notebook.cells


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", notebooks(FOR_EVERYONE))
def test_it_runs_as_it_ships_and_every_figure_has_a_text_twin(path, copy):
    cells = run(read(path), copy)
    outputs = [(cell, output) for cell in cells for output in cell.get("outputs", [])]
    assert not [output for _, output in outputs if output.output_type == "error"]
    for cell, output in outputs:
        if "image/png" in output.get("data", {}):
            assert "alt=" in cell.source and "describe_" in cell.source


@pytest.mark.parametrize("path", notebooks(AFRESH))
def test_it_runs_with_a_recording_of_today(path, copy):
    notebook = read(path)
    switches = [cell for cell in code_cells(notebook) if "RECORD_AFRESH = False" in cell.source]
    if not switches:
        assert path.name == "00_start_here.ipynb"  # the one that opens no recording
        return
    [cell] = switches
    cell.source = cell.source.replace("RECORD_AFRESH = False", "RECORD_AFRESH = True")
    run(notebook, copy)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_thin_and_ships_without_output(path):
    for cell in code_cells(read(path)):
        assert not cell.outputs and cell.execution_count is None
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES, cell.source
        assert max(map(len, lines)) <= 100
        assert str(os.sep + "home") not in cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_it_links_to_is_there(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (path.parent / target).resolve().is_relative_to(ROOT)
        assert "://" in target or (path.parent / target).is_file(), target
