"""``answers.toml``, read strictly."""

import pytest

from lab.exercises.checks.answers import AnswersError, parse_answers


def test_answers_of_every_kind():
    text = '# a comment\n\nport = 9_898  # behind\nname = "Zoë \\"x\\""\nraw = \'a\\b\'\nusers = ["A", "B"] # two\nnone = []\n'
    assert parse_answers(text) == {
        "port": 9898,
        "name": 'Zoë "x"',
        "raw": "a\\b",
        "users": ["A", "B"],
        "none": [],
    }


@pytest.mark.parametrize(
    "line",
    [
        "port",
        "port =",
        "p = nine",
        "p = 1.5",
        "p = true",
        'a = "x',
        "a = [1]",
        "a = {}",
        "[table]",
        "a = 1 2",
        "a.b = 1",
    ],
)
def test_answers_that_cannot_be_read_name_their_line(line):
    with pytest.raises(AnswersError, match="line 2"):
        parse_answers(f"ok = 1\n{line}\n")


def test_an_answer_twice():
    with pytest.raises(AnswersError, match="line 2: a is answered twice"):
        parse_answers("a = 1\na = 2")
