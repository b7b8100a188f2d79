"""Run the checks against the students' sheets, or with ``--solutions`` (or ``--sheets DIR``) against others.

A task that still raises the stub's own NotImplementedError is neither right nor wrong: it is reported as an expected
failure, "not attempted". The text of a failure is its story alone, without pytest's traceback.
"""

from pathlib import Path

import pytest

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import NotAttempted
from lab.exercises.checks.story import Wrong
from lab.exercises.checks.tasks import CALLS_WORTH, ROOT, STUBS, Student, module_name

SOLUTIONS = ROOT / "lab" / "instructor" / "solutions"  # not in the students' copy


def pytest_addoption(parser):
    group = parser.getgroup("exercises")
    if SOLUTIONS.is_dir():
        group.addoption(
            "--solutions",
            action="store_true",
            help="check the instructor's solutions, not the students' sheets",
        )
    group.addoption("--sheets", type=Path, metavar="DIR", help="check the sheets in this folder")
    group.addoption(
        "--check-seed", type=int, default=0, metavar="N", help="other made-up frames (default: 0)"
    )
    group.addoption("--time-limit", type=float, default=10.0, metavar="S", help="for one call (default: 10)")


@pytest.fixture(scope="module")
def student(request):
    option = request.config.getoption
    folder = option("--sheets", None) or (SOLUTIONS if option("--solutions", False) else STUBS)
    sheet = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with StudentCode(folder / f"{module_name(sheet)}.py", time_s=option("--time-limit", 10.0)) as code:
        yield Student(code, keep_cases=True)


@pytest.fixture
def seed(request, student):
    """The dice of this task; and all calls of the task together get no more time than a few single ones."""
    student.code.allow(CALLS_WORTH * student.code.time_s)
    return request.config.getoption("--check-seed", 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    except NotAttempted:
        told = None
    except Wrong as wrong:
        told = str(wrong)
    if told is None:
        pytest.xfail("not attempted")
    pytest.fail(told, pytrace=False)
