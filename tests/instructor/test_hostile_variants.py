"""The whole zoo and more files, graded as one class in each sandbox, for those who change the sandbox."""

import json
import struct
from functools import partial

import pytest

from lab.harness.student_capture import ANSWERS, PLAIN
from lab.instructor import sandbox
from tests.instructor.attacks import a_world, attacks
from tests.instructor.hand_ins import (
    HONEST,
    SHEET,
    TASK,
    UNSHARE,
    attacking,
    command,
    expensive_capture,
    hand_in,
    marks,
    refusing,
    roster,
    solution,
    watched,
    zipped,
)  # fmt: skip

pytestmark = [pytest.mark.maintainers]

ATTACKS = {one.student: one for one in attacks()}


def many_entries() -> bytes:
    """A zip of 25 MB with half a million empty files, which costs zipfile 500 MB."""
    name = SHEET.encode()
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    entries = (entry + name) * 500_000
    return entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 0, 0)


FILES = {  # made only where they are handed in: that takes seconds
    "many-entries": lambda: {"x.zip": many_entries()},
    "nested": lambda: {"x.zip": zipped({"y.zip": zipped({SHEET: bytes(64 << 20)})})},
    "many-zips": lambda: {f"{n}.zip": zipped({f"sheet_99_{n}_{m}.py": bytes(1 << 18) for m in range(10)}) for n in range(200)},
    "tiny-blocks": lambda: {PLAIN: struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20) * 1_000_000},
    "tiny-frames": lambda: {PLAIN: expensive_capture(0) + struct.pack("<IIII", 1, 1, 0, 0) * 1_250_000},
    "huge-block": lambda: {PLAIN: struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + struct.pack("<III", 6, 0xFFFFFFFC, 0)},
}  # fmt: skip


@pytest.fixture(scope="module", params=sandbox.WAYS)
def graded(request, once, tmp_path_factory):
    """(folder, what the watcher reports, the sandbox) of the class."""
    way = request.param
    if reason := sandbox.probe(way, tmp_path_factory.mktemp("probe")):
        pytest.skip(f"no sandbox of {way} here: {reason}")
    folder = once(f"hostile-variants-{way}", partial(grade_the_class, way))
    return folder, json.loads((folder / "report.json").read_text()), way


def grade_the_class(way: str, folder) -> None:
    for student in HONEST:
        hand_in(folder / "in", student, {SHEET: solution()})
    for student, make in FILES.items():
        hand_in(folder / "in", student, {ANSWERS: "server_port = 1\n", **make()})
    words = command(folder) if way == sandbox.NAMESPACES else refusing([UNSHARE], command(folder))
    with a_world() as world:
        for student, attack in ATTACKS.items():
            hand_in(folder / "in", student, {SHEET: attacking(attack, world.targets())})
        roster(folder, [path.name for path in (folder / "in").iterdir()])
        report = watched(folder, words) | {"unharmed": world.state() == world.before}
    (folder / "report.json").write_text(json.dumps(report))


def test_honest_marks_are_unchanged_and_nothing_is_left(graded):
    folder, report, _ = graded
    assert report["code"] == 0 and report["stderr"] == "", report["stderr"]
    for student in HONEST:
        found = {
            task: mark["state"] for task, mark in marks(folder, student).items() if task.startswith("07")
        }
        assert set(found.values()) == {"done"}, student
    assert report["left"] == [] and list((folder / "tmp").iterdir()) == []
    assert report["peak_mb"] < 512 and report["unharmed"]


@pytest.mark.parametrize("student", ATTACKS)
def test_hostile_code_costs_its_own_task(graded, student):
    found = marks(graded[0], student)
    assert found[TASK]["points"] == 0 and found["07_threads.broadcast"]["state"] == "done"
    story = " ".join(found[TASK]["story"].split())
    assert any(reason in story for reason in ATTACKS[student].reasons(graded[2])), story


@pytest.mark.parametrize("student", FILES)
def test_files_of_every_kind_are_a_remark(graded, student):
    found = marks(graded[0], student)
    assert 1 <= len(found["remarks"]) <= 11, found["remarks"]
    assert not any(str(graded[0]) in remark for remark in found["remarks"])
