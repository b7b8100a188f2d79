"""What a student reads about a wrong result: the input, and the commonest slips in words of their own."""

import pytest

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.story import Wrong, difference
from lab.exercises.checks.tasks import Student, load_tasks


def story_of(tmp_path, sheet, task, text):
    (tmp_path / "sheet.py").write_text(text)
    [one] = [one for one in load_tasks(sheet) if one.name == task]
    with StudentCode(tmp_path / "sheet.py") as code, pytest.raises(Wrong) as caught:
        one.check(Student(code), 0)
    return caught.value.story


@pytest.mark.parametrize(
    "sheet, task, parameters",
    [
        ("09_what_tls_still_tells", "keystroke_intervals", "records"),
        ("09_what_tls_still_tells", "nearest_centroid", "known, asked"),
        ("10_somebody_who_acts", "arp_conflicts", "messages"),
        ("10_somebody_who_acts", "is_downgrade", "earlier, later"),
        ("07_threads", "next_batch", "waiting, limit"),
    ],
)
def test_a_short_input_is_shown_as_a_call_to_paste(tmp_path, sheet, task, parameters):
    text = f"def {task}({parameters}): return 'other', {parameters}\n"
    story = story_of(tmp_path, sheet, task, text)
    received = eval(story.call, {task: lambda *arguments: arguments})
    assert len(received) == parameters.count(",") + 1 and f"  call       {task}(" in story.text()


def test_a_long_input_is_cut_off_and_frames_are_in_the_capture_instead(tmp_path):
    text = "def keystroke_intervals(records): return [0] if len(records) > 40 else right(records)\n"
    text += "from collections import Counter\n" + RIGHT
    story = story_of(tmp_path, "09_what_tls_still_tells", "keystroke_intervals", text)
    assert story.call.startswith("keystroke_intervals([(0, ") and story.call.endswith(" ...")
    assert 400 < len(story.call) <= 500
    story = story_of(tmp_path, "02_handshake", "parse_ethernet", "def parse_ethernet(frame): return {}\n")
    assert story.call == "" and story.file


RIGHT = """
def right(records):
    counts = Counter(size for _, size, direction in records if direction < 0)
    size = min(counts, key=lambda one: (-counts[one], one), default=0)
    times = [time for time, *kind in records if kind == [size, -1]]
    return [after - before for before, after in zip(times, times[1:])]
"""


@pytest.mark.parametrize(
    "right, got, says",
    [
        ([1], None, "your function returned nothing (None); is a return missing?"),
        ({"a": 1}, {"a": None}, "result['a'] is None, not int"),
        ([1], {"a": 2}, "result is of type dict, not list: {'a': 2}"),
        (True, 1, "result is of type int, not bool: 1"),
        (None, 5, "result is of type int: 5"),
        ([1, 2], [], "result is an empty list"),
        ({"a": [1]}, {"a": ()}, "result['a'] is an empty tuple"),
        ([1, 2], [1], "result has too few items, 1: [1]"),
    ],
)
def test_the_commonest_slips(right, got, says):
    assert str(difference(right, got)) == says


def test_a_long_name_in_a_result_is_cut_off():
    found = difference({"a": 1}, {"a": 1, "b" * 1_000: 2})
    assert str(found) == f"result['{'b' * 155} ...] should not exist: 2"


@pytest.mark.parametrize(
    "text", ["import numpy_is_not_here\n", "def next_batch(*_): import numpy_is_not_here\n"]
)
def test_a_foreign_module_is_refused_in_words(tmp_path, text):
    story = story_of(tmp_path, "07_threads", "next_batch", text)
    assert "ModuleNotFoundError in line 1 of sheet.py" in story.came_back
    assert story.came_back.endswith("a sheet uses the standard library only")
