"""What these tests record once for all workers: a small class, by the command that an instructor types."""

import subprocess

import pytest

from lab.harness.tap import may_record
from lab.net import namespace
from tests.instructor.hand_ins import capture


def record_class(folder, course: str = "k", *more: str) -> subprocess.CompletedProcess:
    """Record everyone on ``folder / "roster.csv"``, two at a time."""
    options = ["--roster", folder / "roster.csv", "--out", folder / "class", "--jobs", 2]
    return capture(*options, "--course", course, *more)


@pytest.fixture(scope="session")
def a_class(once):
    """A folder with roster.csv, class/ with the recordings of s0 to s3 in the course "k", and what was printed."""
    if (refused := may_record()) and (obstacle := namespace.refusal()):
        pytest.skip(f"{refused}, and the kit can make no namespace here: {obstacle}")

    def make(folder):
        rows = "A,s0,a@x\nB,S1,b@x\n,,\nC,s2,c@x\nD,s3,d@x\n"
        (folder / "roster.csv").write_text(f"Name;x,SIS User ID,Email\n{rows}", encoding="utf-8")
        done = record_class(folder)
        assert done.returncode == 0, done.stderr
        (folder / "printed").write_text(done.stdout, encoding="utf-8")

    return once("a-class", make)
