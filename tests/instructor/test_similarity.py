"""Disguised copies of source code are found, independent solutions are left in peace, and hostile sheets cost little."""

import random

import pytest
from markupsafe import escape

from lab.exercises.checks.tasks import STUBS, module_name
from lab.instructor import limited_process, pages
from lab.instructor.roster import Entry
from lab.instructor.similarity import examine, examine_apart, find_similar
from lab.instructor.submissions import Submission
from tests.bench.misconceptions import all_tasks, run
from tests.instructor import authors

NAME = "sheet_07_threads.py"


def write(folder, sheets) -> None:
    folder.mkdir()
    for name, text in sheets.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def read(folder, sheets) -> dict:
    write(folder, sheets)
    return examine_apart(folder)


def read_all(folder, hand_ins) -> dict:
    """Read many hand-ins, which are not hostile, without a process for each."""
    for student, sheets in hand_ins.items():
        write(folder / student, sheets)
    return {student: examine(str(folder / student))["fingerprints"] for student in hand_ins}


def a_class(count: int, copied: int) -> tuple[dict, set]:
    """Hand-ins of independent authors and copies of some, and who copied from whom."""
    hand_ins, pairs = authors.authors(count), set()
    for number, owner in enumerate(random.Random("copies").sample(sorted(hand_ins), copied)):
        name = f"copy{number:02}"
        hand_ins[name] = authors.disguise(hand_ins[owner], random.Random(name))
        pairs.add((name, owner))
    return hand_ins, pairs


@pytest.mark.parametrize(("count", "copied"), [(5, 2), pytest.param(200, 20, marks=pytest.mark.maintainers)])
def test_disguised_copies_are_found_and_nobody_else(tmp_path, count, copied):
    hand_ins, copies = a_class(count, copied)
    similar = find_similar(read_all(tmp_path, hand_ins))
    assert {(pair.first, pair.second) for pair in similar} == copies


def test_a_copy_is_found_in_a_large_class_and_nobody_else():
    """Each student solves 30 parts in one of six ways: so each way is that of many."""
    dice = random.Random("ways")
    hand_ins = {
        f"s{n:04}": [[6 * part + dice.randrange(6), part, part] for part in range(30)] for n in range(2_000)
    }
    hand_ins["copy"] = [*hand_ins["s0700"][:24], *hand_ins["s0800"][24:]]
    similar = find_similar({student: {NAME: found} for student, found in hand_ins.items()})
    assert [(pair.first, pair.second) for pair in similar] == [("copy", "s0700")]


@pytest.mark.maintainers
def test_authors_and_copies_are_programs_that_work(tmp_path):
    """What is compared above is real: a copy passes and fails the checks as its original does."""
    original = authors.author(authors.dice(3))
    write(tmp_path / "original", original)
    write(tmp_path / "copy", authors.disguise(original, random.Random("copy")))
    verdicts = {
        folder: [
            run(task, tmp_path / folder / f"{module_name(task.sheet)}.py", [0]) == [None]
            for task in all_tasks().values()
        ]
        for folder in ("original", "copy")
    }
    assert verdicts["copy"] == verdicts["original"]
    assert verdicts["original"].count(False) <= 3  # the misconceptions planted


def test_the_stub_does_not_count(tmp_path):
    stubs = {path.name: path.read_text(encoding="utf-8") for path in STUBS.glob("sheet_*.py")}
    found = read(tmp_path / "stubs", stubs)
    assert set(found["fingerprints"]) == set(stubs) and not any(found["fingerprints"].values())
    assert found["remarks"] == []


def test_what_many_have_makes_no_pair():
    idiom = {NAME: [[digest, 1, 2] for digest in range(50)]}
    assert len(find_similar({f"s{n}": idiom for n in range(10)})) == 45
    assert find_similar({f"s{n}": idiom for n in range(11)}) == []
    few = {NAME: idiom[NAME][:19]}
    assert find_similar({"a": few, "b": few}) == []


def test_the_page_shows_the_passages_side_by_side(tmp_path):
    name = "sheet_02_handshake.py"
    here = authors.author(authors.dice(1))[name]
    there = "# <b>mine</b>\n\n\n" + here.replace("segments", "lines")
    hand_ins = {"a": {name: here.encode()}, "b": {name: there.encode()}}
    [pair] = find_similar(read_all(tmp_path, hand_ins))
    assert pair.share > 0.9 and all(
        (first + 3, last + 3) == other[1:] for (_, first, last), other in pair.passages
    )
    found = [Submission(student, tmp_path, files) for student, files in hand_ins.items()]
    roster = [Entry("a", "Ada Lovelace"), Entry("b")]
    page = pages.write_similar(tmp_path, roster, [pair], found).read_text(encoding="utf-8")
    assert "<h2>Ada Lovelace (a) and b</h2>" in page
    (_, first, last), (_, other, _) = pair.passages[0]
    assert f"{name}, line {first}\n" in page and f"{name}, line {other}\n" in page
    assert str(escape(here.splitlines()[last - 1])) in page


TOO_MUCH = {  # Python's own bounds end the reading of these, and a remark says so
    "a long sum": b"x = " + b"+".join([b"1"] * 100_000),
    "attributes of attributes": b"x = a" + b".a" * 100_000,
    "a megabyte of statements": b"a = b\n" * (1 << 18),
    "a megabyte in one line": b"a=b+c;" * (1 << 18),
}
NO_PYTHON = {
    "parentheses in each other": b"x = " + b"(" * 100_000 + b")" * 100_000,
    "null bytes": b"x = 1\0" * 10_000,
    "broken syntax": b"def f(:\n",
    "not UTF-8": b"x = '\xff\xfe'\n",
    "an unknown encoding": b"# coding: nonsense\nx = 1\n",
}
HARMLESS = {
    "lists in each other": b"x = " + b"[" * 190 + b"]" * 190,
    "functions in each other": b"".join(b" " * n + b"def f():\n" for n in range(95)) + b" " * 95 + b"pass\n",
    "a megabyte of a name": b"a" * (1 << 20),
    "empty": b"",
}
QUICK = {"a long sum", "null bytes", "empty"}
HOSTILE = TOO_MUCH | NO_PYTHON | HARMLESS


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.maintainers) for one in HOSTILE]
)
def test_a_hostile_sheet_costs_its_own_comparison_alone(tmp_path, name):
    other = "sheet_04_byte_stream.py"
    text = authors.author(authors.dice(1))[other]
    found = read(tmp_path / "sheets", {NAME: HOSTILE[name], other: text})
    assert found["fingerprints"][other]
    assert (NAME in found["fingerprints"]) == (name in HARMLESS)
    assert [NAME in remark for remark in found["remarks"]] == ([True] if name in TOO_MUCH else [])


@pytest.mark.maintainers
def test_a_process_that_exceeds_its_limits_is_ended_and_named(tmp_path):
    sheets = {path.name: b"a = b\n" * 40_000 for path in STUBS.glob("sheet_*.py")}  # a hand-in's largest
    found = read(tmp_path / "sheets", sheets)
    assert found["fingerprints"] == {} and len(found["remarks"]) == 1


def test_a_question_that_fails_costs_itself_alone(tmp_path):
    before = examine_apart(tmp_path)
    assert limited_process.ask("lab.instructor.similarity") is None, "its process fails"
    assert examine_apart(tmp_path) == before
    assert limited_process.ask("json") is None, "the helper fails"
    assert examine_apart(tmp_path) == before
