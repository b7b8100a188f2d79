"""Report a wrong result as a story: the input, the steps, the result, and the rule that it breaks.

A story names the place (a field, an item of a list) and shows what the student's code returned there. It never
contains the answer: the right value is in ``Wrong.right`` only, for the tests that search the text for it.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_SHOWN = 160  # characters of a value
LONGEST_CALL = 500  # characters: five ARP messages, or a few rows of numbers
WIDTH = 110  # of a story, in characters


class Wrong(AssertionError):
    """The result is wrong; the text is the story."""

    def __init__(self, story: "Story", right: Any = None, got: Any = None):
        super().__init__(str(story))
        self.story, self.right, self.got = story, right, got


@dataclass
class Story:
    """One failure, ready to print.

    ``frame`` is a frame number, ``file`` the capture to open, ``call`` the call in Python.
    """

    task: str
    given: str
    came_back: str
    rule: str
    steps: Sequence[str] = ()
    frame: int | None = None
    filter: str = ""
    file: str = ""
    call: str = ""

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int = WIDTH) -> str:
        """Return the story, wrapped at ``width`` characters, or with one line for each part if that is 0."""
        parts = [("given", self.given), ("call", self.call)]
        parts += [(f"step {number}", step) for number, step in enumerate(self.steps, 1)]
        parts += [("came back", self.came_back), ("frame", "" if self.frame is None else str(self.frame))]
        parts += [("rule", self.rule), ("Wireshark", self.filter), ("open", self.file)]
        lines = [self.task]
        for label, text in parts:
            head = f"  {label:<10} "
            if text and not width:
                lines.append(head + " ".join(text.split()))
            elif text:
                lines += textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head))
        return "\n".join(lines)


@dataclass(frozen=True)
class Difference:
    """The first place where two values differ; ``kind`` is value, type, missing, extra or count."""

    path: tuple
    kind: str
    right: Any
    got: Any

    @property
    def field(self) -> str:
        """The innermost name on the path, which selects the rule."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "")

    @property
    def item(self) -> int | None:
        """The outermost list index on the path."""
        return next((step for step in self.path if isinstance(step, int)), None)

    def __str__(self) -> str:
        subject = "result" + "".join(f"[{show(step)}]" for step in self.path)
        if self.kind == "missing":
            return f"{subject} is missing"
        if self.kind == "extra":
            return f"{subject} should not exist: {show(self.got)}"
        if self.kind == "type":
            if self.got is None and not self.path:
                return "your function returned nothing (None); is a return missing?"
            # That None is expected would be the answer.
            expected = "" if self.right is None else f", not {type(self.right).__name__}"
            found = "None" if self.got is None else f"of type {type(self.got).__name__}"
            shown = "" if self.got is None else f": {show(self.got)}"
            return f"{subject} is {found}{expected}{shown}"
        if self.kind == "count" and not self.got:
            return f"{subject} is an empty {type(self.got).__name__}"
        if self.kind == "count":
            how_many = "few" if len(self.got) < len(self.right) else "many"
            return f"{subject} has too {how_many} items, {len(self.got)}: {show(self.got)}"
        return f"{subject} is {show(self.got)}"


def show_call(function: str, arguments: Sequence[Any]) -> str:
    """Return a call in Python, to be tried out; a long one is cut off."""
    text = f"{function}({', '.join(map(repr, arguments))})"
    return text if len(text) <= LONGEST_CALL else text[: LONGEST_CALL - 4] + " ..."


def show(value: Any) -> str:
    """Return a value as text for people, shortened if it is long."""
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes {bytes(value[:24]).hex(' ')}" + (" ..." if len(value) > 24 else "")
    is_set = isinstance(value, (set, frozenset)) and value
    text = f"{{{', '.join(sorted(map(repr, value)))}}}" if is_set else repr(value)  # always in the same order
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 4] + " ..."


def difference(right: Any, got: Any, path: tuple = ()) -> Difference | None:
    """Return the first difference, or None. Lists equal tuples, bytes equal bytearrays; numbers compare by value."""
    if isinstance(right, Mapping):
        if not isinstance(got, Mapping):
            return Difference(path, "type", right, got)
        for key, value in right.items():
            if key not in got:
                return Difference((*path, key), "missing", value, None)
            if found := difference(value, got[key], (*path, key)):
                return found
        extra = [key for key in got if key not in right]
        return Difference((*path, extra[0]), "extra", None, got[extra[0]]) if extra else None
    if isinstance(right, (list, tuple)):
        if not isinstance(got, (list, tuple)):
            return Difference(path, "type", right, got)
        for place, (one, other) in enumerate(zip(right, got, strict=False)):
            if found := difference(one, other, (*path, place)):
                return found
        return Difference(path, "count", right, got) if len(right) != len(got) else None
    if isinstance(right, (set, frozenset)):
        if not isinstance(got, (set, frozenset, list, tuple)):
            return Difference(path, "type", right, got)
        return None if len(right) == len(got) and right == set(got) else Difference(path, "value", right, got)
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (right, got))
    if numbers and isinstance(right, float):
        same = math.isclose(right, got, rel_tol=1e-9, abs_tol=1e-9)
    else:
        same = right == got and (numbers or type(right) is type(got))
    kind = "value" if numbers or type(right) is type(got) else "type"
    return None if same else Difference(path, kind, right, got)
