"""The class page: who is who in it, and how it looks."""

import re

from lab.instructor.marking import Result
from lab.instructor.pages import class_page
from lab.instructor.roster import Entry


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
