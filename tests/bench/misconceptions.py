"""Every misconception, solution and other style against its check, over many seeds: ``python -m
tests.bench.misconceptions``.

Prints a table, a line a misconception: on how many seeds its check failed it (all, or the check is too weak), and
what the story said. Exit code 1 where a wrong one passed, a right one failed, or a story gave the answer away.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.story import Wrong, show
from lab.exercises.checks.tasks import Student, Task, load_tasks, module_name, sheet_names
from lab.instructor.misconceptions import MISCONCEPTIONS, Misconception, planted
from lab.instructor.stubs import SOLUTIONS
from tests.bench import end_on_sigterm

STYLES = sorted(
    path for path in SOLUTIONS.with_name("styles").glob("*") if path.is_dir() and path.name != "__pycache__"
)
TIME_S = 1.5  # for one call: one misconception waits for ever, and is to say so soon


def run(task: Task, path: Path, seeds, time_s: float = TIME_S) -> list[Wrong | None]:
    """The check's verdict for each seed: a Wrong, or None where it passed."""
    verdicts = []
    with StudentCode(path, time_s=time_s) as code:
        for seed in seeds:
            try:
                task.check(Student(code), seed)
                verdicts.append(None)
            except Wrong as wrong:
                verdicts.append(wrong)
    return verdicts


def run_misconception(one: Misconception, tasks: dict[tuple[str, str], Task], seeds) -> list[Wrong | None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{module_name(one.sheet)}.py"
        path.write_text(planted(one), encoding="utf-8")
        return run(tasks[one.sheet, one.task], path, seeds)


def answer_given_away(wrong: Wrong) -> bool:
    """Whether the right value of the place that the story speaks of stands in what it says of the student's result."""
    if wrong.right is None:
        return False
    right = wrong.right
    steps = (
        step for step in wrong.story.steps if "said:" not in step and "feed(" not in step
    )  # those show what was given
    text = " ".join([wrong.story.came_back.replace(show(wrong.got), ""), wrong.story.filter, *steps])
    shown = (
        {repr(right), str(right)}
        if not isinstance(right, bytes)
        else {repr(right), right.hex(), right.hex(" ")}
    )
    return any(one and _stands_in(one, text) for one in shown)


def _stands_in(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w.\[]){re.escape(value)}(?![\w.])", text) is not None


def all_tasks() -> dict[tuple[str, str], Task]:
    return {(task.sheet, task.name): task for sheet in sheet_names() for task in load_tasks(sheet)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.misconceptions", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(argv)
    tasks, seeds, started = all_tasks(), range(options.seeds), time.monotonic()
    faults = []
    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = dict(
            zip(
                MISCONCEPTIONS,
                pool.map(lambda one: run_misconception(one, tasks, seeds), MISCONCEPTIONS),
                strict=True,
            )
        )
        right = [(task, folder) for task in tasks.values() for folder in [SOLUTIONS, *STYLES]]
        passed = pool.map(
            lambda one: run(one[0], one[1] / f"{module_name(one[0].sheet)}.py", seeds, 10), right
        )
        for (task, folder), outcome in zip(right, passed, strict=True):
            faults += [f"{task.id} of {folder.name} fails: {wrong}" for wrong in outcome if wrong][:1]
    counts = defaultdict(int)
    for one, outcome in verdicts.items():
        failed = sum(wrong is not None for wrong in outcome)
        counts[one.sheet] += 1
        first = next((wrong for wrong in outcome if wrong), None)
        print(f"{failed:3}/{len(outcome)}  {one.id:<75} {first.story.came_back[:90] if first else 'PASSED'}")
        if failed < len(outcome):
            faults.append(f"{one.id} passes on {len(outcome) - failed} seeds")
        faults += [
            f"{one.id}: the story gives the answer away:\n{wrong}"
            for wrong in outcome
            if wrong and answer_given_away(wrong)
        ][:1]
        faults += [
            f"{one.id}: the story names no rule" for wrong in outcome if wrong and not wrong.story.rule
        ][:1]
    print(
        f"\n{len(verdicts)} misconceptions, {len(right)} right ones ({1 + len(STYLES)} styles), {options.seeds} "
        f"seeds each: "
        f"{len(faults)} faults, {time.monotonic() - started:.0f} s"
    )
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
