"""The class page's numbers about tasks, against numbers worked out by hand."""

from datetime import datetime, timedelta, timezone

import pytest

from lab.instructor.course_rules import CourseRules, apply
from lab.instructor.marking import DONE, MISSING, NOT_ATTEMPTED, PARTLY, WRONG, Mark, Result
from lab.instructor.pages import class_page, item_statistics, task_rows
from lab.instructor.roster import Entry

SHARES = {DONE: 1, PARTLY: 0.5, WRONG: 0, NOT_ATTEMPTED: 0, MISSING: 0}
STATES = {"s1": (DONE, DONE, DONE), "s2": (PARTLY, DONE, DONE), "s3": (WRONG, DONE, WRONG)}


def a_class(states: dict = STATES, of: tuple[float, ...] = (4, 3, 2)) -> dict[str, Result]:
    def marks(student: str) -> list[Mark]:
        given = enumerate(zip(states[student], of, strict=True), 1)
        return [
            Mark("02_handshake", f"task {n}", state, SHARES[state] * most, most) for n, (state, most) in given
        ]

    return {student: Result(student, "", marks(student)) for student in states}


def test_difficulty_and_discrimination_by_hand():
    """Task 1: the shares 1, 0.5, 0 beside the rests 5, 5, 3: 1 / sqrt(0.5 * 8 / 3) = 0.87. So has task 3, with 7, 5, 3."""
    assert item_statistics(a_class()) == {
        "02_handshake: task 1": ("0.50", "0.87"),
        "02_handshake: task 2": ("1.00", "n/a"),
        "02_handshake: task 3": ("0.67", "0.87"),
    }


@pytest.mark.parametrize("students", [[], ["s1"]])
def test_one_student_is_too_few_to_compare(students):
    found = item_statistics(a_class({one: STATES[one] for one in students}))
    assert {discrimination for _, discrimination in found.values()} == ({"n/a"} if students else set())


def test_what_being_late_costs_says_nothing_about_a_task():
    results, due = a_class(), datetime(2026, 12, 1, tzinfo=timezone.utc)
    before = item_statistics(results)
    apply(CourseRules(due, 50), results["s1"], due + timedelta(days=1), False)
    assert item_statistics(results) == before


def test_equal_rests_are_not_compared_although_their_mean_is_rounded():
    """The mean of three times 0.1 is not 0.1 for a computer: such rests look as if they differed."""
    states = {"s1": (DONE, DONE, WRONG), "s2": (WRONG, DONE, WRONG), "s3": (PARTLY, DONE, WRONG)}
    assert item_statistics(a_class(states, (1, 0.1, 7)))["02_handshake: task 1"] == ("0.50", "n/a")


def test_a_number_that_rounds_to_nothing_has_no_sign():
    """The shares 0, 1, 0, 1 beside the rests 300, 300, 301, 300.999: no correlation but for a trace below nothing."""
    states = {
        "s1": (WRONG, DONE, WRONG),
        "s2": (DONE, DONE, WRONG),
        "s3": (WRONG, DONE, DONE),
        "s4": (DONE,) * 3,
    }
    results = a_class(states, (2, 300, 1))
    results["s4"].marks[2].of = 0.999
    assert item_statistics(results)["02_handshake: task 1"] == ("0.50", "0.00")


def test_the_page_says_how_many_the_numbers_are_from():
    text = class_page([Entry(one) for one in (*STATES, "s4")], a_class(), [], [], [])
    assert "everyone who handed in" in text and "n/a" in text
    bars = [line for line in text.splitlines() if "90 to 100 %" in line]
    assert len(bars) == 1 and '<td class="number">1</td>' in bars[0] and "width:33%" in bars[0]


@pytest.mark.parametrize(
    ("states", "median"),
    [({}, "none"), ({"a": (WRONG,), "b": (DONE,)}, "50%"), (dict.fromkeys("abc", (PARTLY,)), "50%")],
)
def test_the_median_of_an_even_number_lies_between_two(states, median):
    assert f"; median {median}." in class_page([], a_class(states, (1,)), [], [], [])


def test_every_hand_in_is_in_one_column_and_who_did_not_try_makes_no_task_a_hard_one():
    """A file of answers that cannot be read is wrong in every question, and says nothing about them."""
    results = a_class(
        {"s1": (DONE, WRONG, WRONG), "s2": (MISSING, NOT_ATTEMPTED, WRONG), "s3": (DONE, DONE, WRONG)}
    )
    for result in results.values():
        result.marks[2].why = "file"
    rows = [(task.split()[-1], counts) for task, counts, _, _ in task_rows(results)]
    assert rows == [("2", [1, 0, 1, 1, 0]), ("1", [2, 0, 0, 0, 1]), ("3", [0, 0, 3, 0, 0])]
    assert "<th>missing</th>" in class_page([], results, [], [], [])


def test_the_table_of_tasks_is_not_cut_on_a_screen_of_1100_pixels(tab, tmp_path):
    (tmp_path / "class.html").write_text(class_page([], a_class(), [], [], []), encoding="utf-8")
    tab.set_viewport_size({"width": 1100, "height": 900})
    tab.goto((tmp_path / "class.html").as_uri())
    assert tab.evaluate(
        "[...document.querySelectorAll('.wide')].every(one => one.scrollWidth <= one.clientWidth)"
    )
