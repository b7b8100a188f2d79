"""Weights, due dates, and what a late day costs."""

from datetime import datetime, timedelta, timezone

import pytest

from lab.instructor.course_rules import CourseRules, RulesError, apply, days_late, name_some, read_rules
from lab.instructor.marking import Mark, Result
from lab.instructor.pages import student_page
from lab.instructor.roster import Entry

DUE = datetime(2026, 12, 1, 23, 59, tzinfo=timezone.utc)


def result() -> Result:
    return Result(
        "s1", "", [Mark("02_handshake", "parse_tcp", "done", 4, 4), Mark("own capture", "q", "done", 1, 1)]
    )


@pytest.mark.parametrize(
    ("after", "days"), [(-1, 0), (0, 0), (1, 1), (86_400, 1), (86_401, 2), (3 * 86_400, 3)]
)
def test_a_day_counts_from_its_first_second(after, days):
    assert days_late(DUE, DUE + timedelta(seconds=after), marked_late=False) == days


def test_without_a_time_the_platforms_word_counts_as_one_day():
    assert days_late(DUE, None, marked_late=True) == 1 and days_late(DUE, None, marked_late=False) == 0


def test_a_time_without_a_zone_is_in_the_zone_of_the_due_date():
    assert days_late(DUE, datetime(2026, 12, 2, 0, 0), marked_late=False) == 1


def test_weights_and_late_days_are_applied_and_said():
    one = result()
    rules = CourseRules(DUE, 10, 5, {"02_handshake": 2}, {"own capture": DUE + timedelta(days=2)})
    apply(rules, one, DUE + timedelta(days=2), False)
    assert (one.before, one.points, one.of, one.days_late) == (9, 8 * 0.8 + 1, 9, 2)
    assert one.deductions == ["2 days late: 20 % off 02_handshake"]
    assert one.summary() == "2 done, 2 days late: 20 % off 02_handshake"


def test_a_deduction_names_the_fewer_sheets_and_none_without_weight():
    sheets = ["02_handshake", "03_psh_and_payloads", "04_byte_stream", "05_plaintext_or_tls"]
    one = Result("s1", "", [Mark(sheet, "task", "done", 1, 1) for sheet in sheets])
    rules = CourseRules(
        DUE, 10, weights={"02_handshake": 0}, dates={"05_plaintext_or_tls": DUE - timedelta(days=2)}
    )
    apply(rules, one, DUE + timedelta(days=1), False)
    everything_but = "1 day late: 10 % off everything but 05_plaintext_or_tls"
    assert one.deductions == [everything_but, "3 days late: 30 % off 05_plaintext_or_tls"]


def test_a_sheet_without_weight_is_not_late():
    one = result()
    rules = CourseRules(None, 10, weights={"02_handshake": 0}, dates={"02_handshake": DUE})
    apply(rules, one, DUE + timedelta(days=1), False)
    assert (one.points, one.days_late, one.deductions) == (1, 0, [])
    page = student_page(Entry("s1"), one)
    assert "not counted" in page and "0 / 0" not in page


def test_after_the_last_day_nothing_is_left():
    one = result()
    apply(CourseRules(DUE, 10, 5), one, DUE + timedelta(days=6), False)
    assert one.points == 0 and one.deductions == ["6 days late: 100 % off everything"]


def test_in_time_nothing_changes():
    one = result()
    apply(CourseRules(DUE, 10, 5), one, DUE, False)
    assert (one.points, one.before, one.days_late, one.deductions) == (5, 5, 0, [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("due = 5", "due must be like 2026-"),
        ("due = 2026-12-01T23:59:00", "due must be like 2026-"),
        ("percent_a_day = -1", "percent_a_day must be a number from 0 to 1000"),
        ("percent_a_day = nan", "percent_a_day must be a number"),
        ("percent_a_day = '10'", "percent_a_day must be a number from 0 to 1000, without quotes, not '10'$"),
        ("due = '2026-12-01T23:59:00Z'", r"due must be like .*, without quotes, not '2026-12-01T23:59:00Z'$"),
        ("attack = 'true'", "attack must be true or false, without quotes, not 'true'$"),
        ("late = 1", "late is not a rule; there are due, "),
        ("weights = 2", "weights must be a table"),
        ("[weights]\n01_no_such_sheet = 1", "01_no_such_sheet is not a sheet; there are 02_handshake"),
        ("[dates]\n02_handshake = 1", "02_handshake must be like 2026-"),
        ("due = ", "Invalid value"),
        ("due = tomorrow", r"Invalid value.* \(a date is written as 2026-12-01T23:59:00\+01:00\)"),
        ("due = 2026-12-1T23:59:00+01:00", r"Expected newline.* \(a date is written as 2026-12-01T"),
        ("due = 2026-02-30T23:59:00+01:00", r"Invalid date.* \(a date is written as 2026-12-01T"),
        ("\xff", r"Invalid statement \(at line 1, column 1\)$"),
        (f"# {'x' * (1 << 16)}\nlate = 1", "larger than 64 kB"),
        (f"due = {'[' * 60_000}", "recursion"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, text, fault):
    (tmp_path / "course.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RulesError, match=fault) as refused:
        read_rules(tmp_path / "course.toml")
    assert len(str(refused.value).splitlines()) == 1


def test_a_good_table_is_read(tmp_path):
    text = (
        "due = 2026-12-01T23:59:00Z\npercent_a_day = 10\n[weights]\n02_handshake = 0.5\n'own capture' = 0\n"
    )
    (tmp_path / "course.toml").write_text(text)
    assert read_rules(tmp_path / "course.toml") == CourseRules(
        DUE, 10, weights={"02_handshake": 0.5, "own capture": 0}
    )


def test_a_table_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "course.toml").write_text("due = 2026-12-01T23:59:00Z\n", encoding="utf-8-sig")
    assert read_rules(tmp_path / "course.toml") == CourseRules(DUE)


@pytest.mark.parametrize(
    ("students", "named"),
    [(1, "1"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 other"), (300, "1, 2, 3, 4, 5 and 295 others")],
)
def test_of_many_students_a_few_are_named(students, named):
    assert name_some([str(number) for number in range(1, students + 1)]) == named


def test_a_rule_below_a_table_is_told_where_it_belongs(tmp_path):
    (tmp_path / "course.toml").write_text("[weights]\n02_handshake = 2\npercent_a_day = 10\n")
    with pytest.raises(RulesError, match=r"percent_a_day stands below \[weights\]: put it above"):
        read_rules(tmp_path / "course.toml")
