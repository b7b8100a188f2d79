"""The instructor's guide: its table is true, and a sheet that is added by its recipe, word for word, works."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from lab import dissect
from lab.dissect.tcp.forwarding import delays
from lab.exercises.checks import tasks as sheets
from lab.exercises.checks.tasks import STUBS, module_name
from lab.exposure import eavesdrop
from lab.harness.manifest import read_manifest
from lab.instructor import students_copy
from tests.bench.misconceptions import all_tasks
from tests.support import ROOT, read_cells

INSTRUCTOR = ROOT / "lab" / "instructor"
GUIDE = (INSTRUCTOR / "README.md").read_text(encoding="utf-8")
ANSWERS = (INSTRUCTOR / "ANSWERS.md").read_text(encoding="utf-8")


def test_its_times_are_those_of_the_sheets():
    written = {task: int(minutes) for task, minutes in re.findall(r"\| `(\w+)` \| (\d+) \|", GUIDE)}
    stated = {}
    for sheet, task in all_tasks():
        stated[task] = sheets.facts(STUBS / f"{module_name(sheet)}.py")[task].minutes
    assert written == stated


def questions(notebook) -> list[str]:
    [cell] = [cell["source"] for cell in read_cells(notebook, "markdown") if "## Now you" in cell["source"]]
    found = re.findall(r"^\d+\. (.*(?:\n {3}\S.*)*)", cell.partition("## Now you")[2], flags=re.MULTILINE)
    return [" ".join(question.split()) for question in found]


def answers(stem: str) -> dict[str, str]:
    """The answers to one notebook, by question."""
    [section] = re.findall(rf"^## {stem}\n(.*?)(?=^## |\Z)", ANSWERS, flags=re.DOTALL | re.MULTILINE)
    pairs = re.findall(
        r"^\*\*\d+\. ([^\n]*)\*\*\n\n(.*?)(?=\n\*\*\d|\Z)", section, flags=re.DOTALL | re.MULTILINE
    )
    return {question: answer.strip() for question, answer in pairs}


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_question_of_a_notebook_is_answered(notebook):
    """Word for word, but for where its links lead: whoever changes a question looks at its answer, too."""
    answered = answers(notebook.stem)
    asked, repeated = (
        [re.sub(r"\]\([^)]*\)", "]", one) for one in of] for of in (questions(notebook), answered)
    )
    assert asked == repeated and len(answered) >= 3
    assert all(len(answer) > 60 for answer in answered.values())


def test_the_frames_in_the_answers_are_those_of_the_recordings():
    said = eavesdrop(ROOT / "captures" / "chat" / "plain.pcapng").messages
    hello = next(message.frame for message in said if message.text == "hello")
    first, _, longest, _ = answers("01_first_look").values()
    assert f"Frame {hello} goes from Brandon to the server" in first
    john = max((message for message in said if message.who == "John"), key=lambda message: len(message.text))
    assert f"it is frame {john.frame}, `{john.text}`" in longest
    hidden = eavesdrop(ROOT / "captures" / "chat" / "tls13.pcapng").messages
    of_john = [message for message in hidden if message.endpoint == hidden[3].endpoint]
    frame = max(of_john, key=lambda message: message.length).frame
    assert longest.startswith(f"Frame {frame}, a message of {len(john.text) + 17} bytes")


def test_the_numbers_of_the_frozen_room_are_those_of_its_recording():
    lessons = ROOT / "captures" / "lessons"
    recordings = read_manifest(lessons / "manifest.json")["recordings"]
    [truth] = [one for one in recordings if one["file"] == "frozen.pcapng"]
    lines = [text.encode() for text in truth["said"]]
    flows = dissect.find_flows(dissect.read_segments(lessons / "frozen.pcapng"))
    brandon, _, john = flows  # in order of arrival, as are the users
    at_once = [
        sum(passage.wait_s < 0.3 for passage in delays(brandon.from_initiator, reader.from_responder, lines))
        for reader in (john, brandon)
    ]
    first, second, *_ = answers("07_threads").values()
    assert at_once[0] == truth["heard_while_she_was_silent"]
    assert "John receives {} lines at once, Brandon {}.".format(*at_once) in " ".join(first.split())
    [length] = {len(line) for line in lines}
    assert f"{len(lines)} lines of {length} bytes, {len(lines) * length:,} in all" in " ".join(second.split())


def test_its_commands_exist():
    from lab.__main__ import COMMANDS

    assert set(re.findall(r"python3 lab (\w+)", GUIDE)) <= set(COMMANDS)


@pytest.fixture(scope="module")
def kit_with_a_new_sheet(tmp_path_factory):
    """A copy of the kit, with the files that the recipe shows."""
    kit = tmp_path_factory.mktemp("recipe") / "kit"
    for name in students_copy.files_of_the_kit():
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, kit / name)
    recipe = GUIDE[GUIDE.index("## How to add a sheet") :]
    blocks = re.findall(r"`((?:lab|tests)/\S+\.py)`;.*?```python\n(.*?)```", recipe, re.DOTALL)
    assert len(blocks) == 2
    for name, code in blocks:
        (kit / name).write_text(code, encoding="utf-8")
    code, printed = run_in(kit, "lab", "stubs")
    assert code == 0 and "sheet_20_ports.py" in printed
    return kit


def run_in(kit, *words):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=kit, capture_output=True, text=True, timeout=110, env=environment
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.maintainers
def test_a_sheet_added_by_the_recipe_works(kit_with_a_new_sheet):
    kit = kit_with_a_new_sheet
    assert (
        'raise NotImplementedError("is_well_known")' in (kit / "lab/exercises/sheet_20_ports.py").read_text()
    )
    code, printed = run_in(kit, "lab", "check", "ports")
    assert code == 0 and "not attempted  is_well_known            5 min  RFC 6335 section 6" in printed
    checks = "tests/exercises/test_20_ports.py"
    code, printed = run_in(kit, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--solutions", checks)
    assert code == 0 and "1 passed" in printed
    stub = kit / "lab/exercises/sheet_20_ports.py"
    stub.write_text(
        stub.read_text().replace('raise NotImplementedError("is_well_known")', "return port < 1023")
    )
    code, printed = run_in(kit, "lab", "check", "20")
    assert code == 1 and "given      port 1023" in printed and "RFC 6335" in printed
    run_in(kit, "lab", "stubs")
    code, printed = run_in(kit, "lab", "release", "copy")
    assert code == 0, printed
    assert (kit / "copy/lab/exercises/sheet_20_ports.py").exists()
    assert not list((kit / "copy").rglob("*solutions*"))


@pytest.mark.maintainers
def test_the_new_sheet_is_graded(kit_with_a_new_sheet):
    kit = kit_with_a_new_sheet
    (kit / "inbox" / "s1").mkdir(parents=True)
    shutil.copy(kit / "lab/instructor/solutions/sheet_20_ports.py", kit / "inbox" / "s1")
    (kit / "roster.csv").write_text("id\ns1\n")
    code, printed = run_in(kit, "lab", "grade", "inbox", "--roster", "roster.csv")
    assert code == 0 and "s1  1 of " in printed, printed
