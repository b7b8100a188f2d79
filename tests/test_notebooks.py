"""Every notebook runs with fresh recordings (one of them, without --all) and stays thin.

As they ship they run in the students' copy, which holds less: see ``instructor/test_release.py``.
"""

import os
import re
import shutil

import pytest

from lab.dissect.oracle import tshark_fields
from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.one_way import one_way
from lab.dissect.tcp.segments import read_segments
from lab.exercises.checks.tasks import facts
from tests.support import ROOT, copy_kit, read_cells, read_notebook, run_notebook

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 8  # of code in a cell; anything longer is a function in lab/, with a test
NAMES = [path.name for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the kit to run them in: a student's own recordings in captures/mine stay as they are."""
    return copy_kit(tmp_path_factory.mktemp("notebooks"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.maintainers
@pytest.mark.timeout(500)  # notebook 09 records for more than a minute
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_with_a_recording_of_today(name, copy):
    notebook = read_notebook(ROOT / "notebooks" / name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    switches = [cell for cell in cells if "RECORD_AFRESH = False" in cell.source]
    if not switches:
        assert name == "00_start_here.ipynb"  # the one that opens no recording
        return
    [cell] = switches
    cell.source = cell.source.replace("RECORD_AFRESH = False", "RECORD_AFRESH = True")
    run_notebook(notebook, copy)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_thin_and_ships_without_output(path):
    for cell in read_cells(path, "code"):
        assert not cell["outputs"] and cell["execution_count"] is None
        lines = [line for line in cell["source"].splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES, cell["source"]
        assert max(map(len, lines)) <= 100
        if "to_png(" in cell["source"]:  # each figure has a text twin
            assert "alt=" in cell["source"] and "describe_" in cell["source"]
        assert str(os.sep + "home") not in cell["source"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_it_links_to_is_there(path):
    text = "\n".join(cell["source"] for cell in read_cells(path, "markdown"))
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (path.parent / target).resolve().is_relative_to(ROOT)
        assert "://" in target or (path.parent / target).is_file(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_guess_comes_before_what_is_seen(path):
    text = "\n".join(cell["source"] for cell in read_cells(path, "markdown"))
    in_order = re.findall(r"^\*\*(Guess:|What you see\.)\*\*", text, flags=re.MULTILINE)
    assert in_order == ["Guess:", "What you see."] * (len(in_order) // 2) and in_order


def test_the_hours_that_it_states_are_those_of_notebooks_and_sheets():
    texts = [path.read_text(encoding="utf-8") for path in NOTEBOOKS]
    reading = sum(int(re.search(r"About (\d+) minutes", text)[1]) for text in texts)
    sheets = [facts(path) for path in (ROOT / "lab" / "exercises").glob("sheet_*.py")]
    writing = sum(task.minutes for sheet in sheets for task in sheet.values())
    reading_h, writing_h = round(reading / 30) / 2, round(writing / 30) / 2
    stated = f"about {reading_h + writing_h + 1.5:g} hours: {reading_h:g} for the eleven notebooks, {writing_h:g} for"
    for text in (texts[0], (ROOT / "README.md").read_text(encoding="utf-8")):
        assert stated in " ".join(text.split())


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_counts_a_waiting_time_from_the_first_copy():
    """Notebook 06 prints the same numbers in its second line."""
    path = ROOT / "captures" / "lessons" / "back-off.pcapng"
    theirs = [float(seconds) for [seconds] in tshark_fields(path, ["tcp.analysis.rto"], "tcp.analysis.rto")]
    flow = find_flow(read_segments(path), 0)
    copies = [item.time_s for item in one_way(flow).sent if item.payload_length]
    assert theirs == pytest.approx([time_s - copies[0] for time_s in copies[1:]])
