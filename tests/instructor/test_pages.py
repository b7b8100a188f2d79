"""The pages: who is who on the class's, and how they look on screens of several sizes."""

import csv
import re

from lab.instructor.marking import DONE, NOT_ATTEMPTED, WRONG, Mark, Result
from lab.instructor.outputs import write_for_gradescope, write_grades
from lab.instructor.pages import class_page, student_page, write_pages
from lab.instructor.roster import Entry

WORD_LINES = """cell => cell.textContent.split(' ').map(word => {
    const range = document.createRange(), start = cell.textContent.indexOf(word);
    range.setStart(cell.firstChild, start);
    range.setEnd(cell.firstChild, start + word.length);
    return range.getClientRects().length;
})"""  # on how many lines each word of a cell stands


def test_students_of_one_name_are_told_apart_by_their_ids():
    roster = [Entry("s1", "Ada Lovelace"), Entry("s2", "Ada Lovelace"), Entry("s3", "S3"), Entry("s4")]
    text = class_page(roster, {one: Result(one, "") for one in ("s1", "s3")}, [], [], [])
    rows = re.findall("<tr><td>(.*?)</td>", text.partition("<h2>Students</h2>")[2])
    assert [re.sub("<.*?>", "", row) for row in rows] == [
        "Ada Lovelace (s1)",
        "Ada Lovelace (s2)",
        "S3",
        "s4",
    ]


def test_tasks_are_neither_broken_nor_cut_on_a_screen_of_1100_pixels(tab, tmp_path):
    tasks = [("08_tls_of_today", "hello_across_segments"), ("10_somebody_who_acts", "find_forged")]
    marks = [Mark(sheet, task, WRONG, 0, 1, "died") for sheet, task in tasks]
    page = class_page([], {"s1": Result("s1", "", marks)}, [], [], [])
    (tmp_path / "class.html").write_text(page, encoding="utf-8")
    tab.set_viewport_size({"width": 1100, "height": 900})
    tab.goto((tmp_path / "class.html").as_uri())
    cells = tab.locator("tr:has(th) ~ tr td:first-child").all()
    assert [cell.evaluate(WORD_LINES) for cell in cells] == [[1, 1], [1, 1]]
    assert tab.evaluate(
        "document.querySelector('.wide').scrollWidth <= document.querySelector('.wide').clientWidth"
    )


def test_a_students_page_breaks_no_word_of_a_state_on_a_phone(tab, tmp_path):
    marks = [Mark("09_what_tls_still_tells", "keystroke_intervals", NOT_ATTEMPTED, 0, 3)]
    (tmp_path / "s1.html").write_text(student_page(Entry("s1"), Result("s1", "", marks)), encoding="utf-8")
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.goto((tmp_path / "s1.html").as_uri())
    assert tab.locator("td:nth-child(2)").evaluate(WORD_LINES) == [1, 1]


def test_nothing_is_left_of_a_hand_in_that_was_withdrawn(tmp_path):
    roster, handed_in = [Entry("s1"), Entry("s2")], {one: Result(one, "") for one in ("s1", "s2")}
    for results in (handed_in, {"s1": handed_in["s1"]}):
        write_pages(tmp_path, roster, results, [], [], [])
        write_for_gradescope(tmp_path / "gradescope", roster, results)
        pages, files = (tmp_path / "feedback").iterdir(), tmp_path.glob("gradescope/*/results.json")
        assert {path.stem for path in pages} == {path.parent.name for path in files} == results.keys()


def test_the_points_possible_are_those_that_the_grade_is_of(tmp_path):
    marks = {"s1": [Mark("own capture", "attack", DONE, 1, 1)], "s2": []}
    results = {
        one: Result(one, "", [Mark("02_handshake", "parse_tcp", DONE, 3, 4), *more])
        for one, more in marks.items()
    }
    write_grades(tmp_path, [Entry("s1"), Entry("s2"), Entry("s3")], results, [])
    with open(tmp_path / "grades.csv", newline="") as file:
        rows = [
            tuple(float(row[name]) for name in ("Grade", "Points", "Points Possible"))
            for row in csv.DictReader(file)
        ]
    assert rows == [(80, 4, 5), (75, 3, 4), (0, 0, 5)]
