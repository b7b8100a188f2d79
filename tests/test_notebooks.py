"""Every notebook that there is runs top to bottom, as it ships and once with fresh recordings; and stays thin."""

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 10  # of code in a cell; anything longer is a function in lab/, with a test
BOUND_S = 100


def run(notebook) -> list:
    NotebookClient(notebook, timeout=BOUND_S, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    return notebook.cells


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_as_it_ships(path):
    cells = run(nbformat.read(path, as_version=4))
    assert not [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_with_a_recording_of_today(path):
    notebook = nbformat.read(path, as_version=4)
    switches = [cell for cell in code_cells(notebook) if "RECORD_AFRESH = False" in cell.source]
    if not switches:
        return  # a notebook that opens no recording has no switch
    [cell] = switches
    cell.source = cell.source.replace("RECORD_AFRESH = False", "RECORD_AFRESH = True")
    run(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_thin_and_ships_without_output(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert not cell.outputs and cell.execution_count is None
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES, cell.source
        assert max(map(len, lines)) <= 100
        assert str(os.sep + "home") not in cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_figure_has_a_text_twin(path):
    cells = run(nbformat.read(path, as_version=4))
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert "alt=" in cell.source and "describe_" in cell.source
