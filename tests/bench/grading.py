"""What grading a large class costs: ``python -m tests.bench.grading --hand-ins 2000``.

Each hand-in has the sheets of an author of its own (``tests.instructor.authors``), or one in COPIED a disguised copy, and
one of RECORDINGS recordings. So many share a recording or code: these pairs are expected, and counted. Prints time, memory
and size, and what follows for larger classes. Exit code 1 if a hand-in is not graded, or the pairs are not the expected ones.
"""

import argparse
import os
import platform
import re
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from math import comb
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess

from lab.dissect.text import counted
from lab.instructor.roster import Entry, record_roster
from tests.bench import end_on_sigterm
from tests.bench.submissions_of_a_class import grade
from tests.instructor import authors

COURSE = "k"
COPIED = 20
NIGHT_H = 8
LARGER = (10_000, 100_000)


def make(folder: Path, hand_ins: int, recordings: int, jobs: int) -> Path:
    """Write the hand-ins into ``folder``/in; return the roster."""
    students, copied = [f"s{number:05}" for number in range(hand_ins)], hand_ins // COPIED
    recorded = folder / "recordings"
    owners = students[:recordings]
    failed = record_roster([Entry(one) for one in owners], COURSE, recorded, jobs, lambda *_: None)
    assert not failed, failed
    for number, student in enumerate(students):
        place = folder / "in" / student
        shutil.copytree(recorded / owners[number % recordings], place)
        owner = number - copied if number >= hand_ins - copied else number
        sheets = authors.author(authors.dice(owner))
        if owner != number:
            sheets = authors.disguise(sheets, authors.dice(number))
        for name, text in sheets.items():
            (place / name).write_text(text, encoding="utf-8")
    roster = folder / "roster.csv"
    roster.write_text("id\n" + "\n".join(students) + "\n")
    return roster


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def busy_s() -> float:
    """Return for how long all processors have worked since the start of this machine.

    Not what the grader's processes report: those that are killed inside a sandbox are counted by nobody.
    """
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, roster: Path, jobs: int) -> tuple[CompletedProcess, float, float, float]:
    """Grade; return what the command printed, its time and processor time in seconds, and its largest process in MB.

    To be called in a process without other children, on a machine that does nothing else.
    """
    started, before_s = time.monotonic(), busy_s()
    options = ["--jobs", str(jobs), "--course", COURSE, "--any-course"]  # most have somebody else's recording
    done = grade(folder, roster, *options, timeout=24 * 3600)
    wall_s, cpu_s = time.monotonic() - started, busy_s() - before_s
    return done, wall_s, cpu_s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def processor() -> str:
    """Return the name of this machine's processor."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.grading", description=__doc__.split("\n")[0])
    parser.add_argument("--hand-ins", type=int, default=200)
    parser.add_argument("--recordings", type=int, default=100, help="different ones (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args(argv)
    count, different = options.hand_ins, min(options.recordings, options.hand_ins)
    with tempfile.TemporaryDirectory(prefix="lab-class-") as temporary:
        folder = Path(temporary)
        roster = make(folder, count, different, options.jobs)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            done, wall_s, cpu_s, largest_mb = pool.submit(measure, folder, roster, options.jobs).result()
        sizes = size_mb(folder / "in"), size_mb(folder / "out")
    if done.returncode:
        print(done.stderr)
        return 1
    larger, rest = divmod(count, different)
    pairs = rest * comb(larger + 1, 2) + (different - rest) * comb(larger, 2)
    summary = (
        f"{count} graded, 0 on the roster handed in nothing, {counted(pairs, 'pair')} with the same recording"
    )
    summary += f", {counted(count // COPIED, 'pair')} with similar code"
    print(f"{processor()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end")
    print(*(line for line in done.stdout.splitlines() if " graded, " in line), sep="\n")
    print(
        f"{wall_s:.0f} s with {options.jobs} jobs, {cpu_s:.0f} s of processor time ({cpu_s / count:.2f} s a hand-in)"
    )
    print(f"largest process {largest_mb:.0f} MB; hand-ins {sizes[0]:.0f} MB, grades {sizes[1]:.0f} MB")
    a_minute = 60 * count / cpu_s
    print(f"{a_minute:.0f} hand-ins a minute and core. Extrapolated:")
    for many in LARGER:
        hours = many / a_minute / 60
        print(
            f"  {many:>7,}: {hours:.1f} h on one core; {hours / NIGHT_H:.1f} cores for a night of {NIGHT_H} h"
        )
    if summary not in done.stdout:
        print(f"expected: {summary}")
    return 0 if summary in done.stdout else 1


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
