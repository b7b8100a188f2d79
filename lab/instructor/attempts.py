"""Run a check on a student's code, in a process that other checks use too.

Starting a process costs more than most checks. A failure ends it, with whatever it has left running, so that a broken task
costs that task; and it counts only in a process with that sheet alone.

A check depends on the answers and the seed alone, and makes the same calls for everyone who is right. So once somebody has
passed it, its calls are made in one message. Equal answers pass without running it; it judges any others.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import NotAttempted, TimeUp
from lab.exercises.checks.tasks import Student

TASK_S = 8.0  # for all calls of a check
Check = Callable[[Student, int], None]


@dataclass
class Passed:
    """How a check was passed: its requests, and the digests of all answers to them with which it passes."""

    requests: list[bytes]
    answers: set[bytes] = field(default_factory=set)


_passed: dict[tuple[Check, int], Passed] = {}  # by check and seed


def attempt(check: Check, code: StudentCode, seed: int) -> Exception | None:
    """Run a check; return None if it passes, or what it raised."""
    if time.monotonic() > code.until:
        return TimeUp("all tasks together took longer than they may")
    code.allow(TASK_S)
    passed, digest = _passed.get((check, seed)), b""
    answers = code.make_again(passed.requests) if passed else None
    if passed and answers:
        digest = hashlib.sha256(answers).digest()
        if digest in passed.answers:
            return None
    while True:
        try:
            if passed and answers:
                code.replay(passed.requests, answers)
            check(Student(code), seed)
        except NotAttempted as error:
            return error
        except Exception as error:
            alone, answers = code.alone, None
            code.close()
            if alone:
                return error
            code.allow(TASK_S)
        else:
            if not passed:
                _passed[check, seed] = Passed(code.made)
            elif not code.made:  # all that it asked for was in the answers
                passed.answers.add(digest)
            return None
