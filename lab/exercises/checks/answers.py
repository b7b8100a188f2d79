"""Read ``answers.toml``, a student's answers about their own capture; an error names the line.

The parser accepts the part of TOML that the template uses: ``key = value`` on one line, where the value is a
whole number, a quoted text or a list of quoted texts, and comments after ``#``. (Python has a TOML parser
only since 3.11, and its errors say less.)
"""

import json
import re
from pathlib import Path
from typing import Any

_LINE = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
LARGEST_FILE = 1 << 16  # bytes
MOST_DIGITS = 30
SUBMISSION_NOTE = "submission.json"  # what ``lab submit`` writes about what it packs, and ``lab grade`` reads


class AnswersError(ValueError):
    """The file cannot be read; the message names the line and the reason."""


def parse_answers(text: str) -> dict[str, Any]:
    """Return the answers by key. Raises AnswersError."""
    answers = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise AnswersError(f"line {number}: expected  key = value, found {line[:40]!r}")
        if match["key"] in answers:
            raise AnswersError(f"line {number}: {match['key']} is answered twice")
        answers[match["key"]] = _value(match["value"], number)
    return answers


def _value(text: str, number: int) -> int | str | list[str]:
    expected = f"line {number}: {text[:40]!r} is not a number, a quoted text or a list of quoted texts"
    value: Any
    if literal := re.match(r"'([^']*)'", text):
        value, end = literal[1], literal.end()
    elif digits := re.match(r"[+-]?[0-9][0-9_]*", text):
        if len(digits[0]) > MOST_DIGITS:
            most = f"no answer needs more than {MOST_DIGITS}"
            raise AnswersError(f"line {number}: a number of {len(digits[0])} digits; {most}")
        value, end = int(digits[0].replace("_", "")), digits.end()
    else:
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            raise AnswersError(expected) from None
    rest = text[end:].strip()
    texts = value if isinstance(value, list) else [value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if rest and not rest.startswith("#") or not (is_number or all(isinstance(one, str) for one in texts)):
        raise AnswersError(expected)
    if not is_number and any("\ud800" <= character <= "\udfff" for character in "".join(texts)):
        raise AnswersError(f"line {number}: {text[:40]!r} contains half a character (a surrogate)")
    return value


def read_answers(path: Path | str) -> dict[str, Any]:
    """Return the answers in a file. Raises AnswersError, OSError."""
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise AnswersError(f"larger than {LARGEST_FILE >> 10} KiB")
    try:
        return parse_answers(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise AnswersError("not UTF-8 text") from None
