"""Spread the work for a class over machines with Dask (https://distributed.dask.org): a task is one student.

    lab grade --on ADDRESS ──> scheduler ──> worker, worker, ...     (lab cluster, lab cluster ADDRESS)

Dask gives the tasks of a worker that has died to another one. If the scheduler is lost, this side waits for it and sends
again what has not been finished, so each student has one result.

Dask runs whatever it is sent, with the rights of the worker: keep the scheduler's port inside a network that you trust.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.commands import LOCAL
from lab.harness.student_capture import ABOUT, ANSWERS, PLAIN, TLS, add_questions, is_complete, record_student
from lab.harness.student_profile import profile
from lab.instructor import sandbox
from lab.instructor.grading import Waiting, failed, mark_in, work_folder
from lab.instructor.marking import Result, rules_fingerprint
from lab.instructor.submissions import Submission

if TYPE_CHECKING:
    from distributed import Client

PACKAGES = Path(__file__).with_name("cluster.txt")
NO_DASK = f"Dask is not installed: {sys.executable} -m pip install -r {PACKAGES}"
CONNECT_S = 30  # until a scheduler must have answered, and a worker have joined it
BACK_S = 300  # until a lost scheduler must be back
TASK_S = 1_200  # until one of the tasks under way must have ended
AHEAD = 2  # tasks sent for each thread of the workers: hand-ins are large, and the scheduler keeps what it was sent


Tasks = dict[str, tuple[Any, ...]]  # the arguments of each, by its name
Outcomes = Iterator[tuple[str, Any]]  # a task's name, and its result or the exception that it raised


class ClusterError(ValueError):
    """The work cannot be done, here or on a worker; the text says why."""


def grade(address: str, sandboxed: bool, waiting: Waiting, jobs: int, key: str) -> Iterator[Result]:
    """Yield the result of each submission as it comes."""
    rules = rules_fingerprint(key)
    tasks = {one.id: (one, key, sandboxed, fingerprint, rules) for one, fingerprint in waiting}
    for name, outcome in spread(address, jobs, grade_one, tasks):
        if isinstance(outcome, Exception):
            outcome = failed(name, tasks[name][3], outcome)
        yield outcome


def grade_one(submission: Submission, key: str, sandboxed: bool, fingerprint: str, rules: str) -> Result:
    """Grade a submission, on a worker. Raise ClusterError."""
    if rules_fingerprint(key) != rules:
        raise ClusterError("a worker has another version of the kit")
    way = _sandbox() if sandboxed else sandbox.LIMITS
    with work_folder() as work:
        return mark_in(work, submission, key, way, fingerprint)


@cache
def _sandbox() -> str:
    """Return the strongest way of this worker, tried once for each process. Raise ClusterError."""
    with tempfile.TemporaryDirectory() as folder:
        way, refusals = sandbox.choose(Path(folder))
    if way is None:
        raise ClusterError(f"a worker has no sandbox ({sandbox.all_refusals(refusals)})")
    return way


def record(address: str, students: list[str], jobs: int, key: str, out: Path, attack: bool) -> Outcomes:
    """Record the students' conversations into folders of ``out``; yield each ID, and an exception or None."""
    tasks = {one: (one, key, attack, _recorded(out / one) if attack else {}) for one in students}
    for student, outcome in spread(address, jobs, record_one, tasks):
        if isinstance(outcome, dict):
            (out / student).mkdir(parents=True, exist_ok=True)
            add_questions(profile(student, key), out / student, attack)
            for name, data in outcome.items():
                (out / student / name).write_bytes(data)
            outcome = None
        yield student, outcome


def _recorded(folder: Path) -> dict[str, bytes]:
    """Return a student's recordings and the file that completes them, if they only lack the attack."""
    return {name: (folder / name).read_bytes() for name in (PLAIN, TLS, ABOUT)} if is_complete(folder) else {}


def record_one(student: str, key: str, attack: bool, recorded: dict[str, bytes]) -> dict[str, bytes]:
    """Record what a student lacks, on a worker; return all recordings, and last the file that completes them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in recorded.items():
            (Path(folder) / name).write_bytes(data)
        record_student(profile(student, key), folder, attack=attack)
        paths = sorted(Path(folder).iterdir(), key=lambda path: path.name == ABOUT)
        return {path.name: path.read_bytes() for path in paths if path.name != ANSWERS}


def spread(address: str, jobs: int, task: Callable[..., Any], tasks: Tasks) -> Outcomes:
    """Yield the outcome of each task as it comes. Raise ClusterError."""
    waiting, deadline = dict(tasks), 0.0  # by when a lost scheduler must be back
    while waiting:
        try:
            with _client(address, jobs) as client:
                for name, outcome in _run(client, task, waiting):
                    if isinstance(outcome, ClusterError):  # the worker's
                        raise ClusterError(f"{outcome}: end it, and run the command again")
                    del waiting[name]
                    deadline = 0.0
                    yield name, outcome
        except (OSError, CancelledError) as error:
            now = time.monotonic()
            never_there = len(waiting) == len(tasks) and isinstance(error, OSError)
            if never_there or 0 < deadline < now:
                fix = "is it running? Start it with: python3 lab cluster; what is finished is kept"
                raise ClusterError(f"no scheduler answers at {address}: {fix}") from error
            deadline = deadline or now + BACK_S
            print(f"lab cluster: the scheduler {address} is lost; waiting for it", file=sys.stderr)


def _client(address: str, jobs: int) -> "Client":
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(NO_DASK) from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost scheduler is a line, below
    if address == LOCAL:
        return Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
    return Client(address, timeout=CONNECT_S)


def _run(client: "Client", task: Callable[..., Any], tasks: Tasks) -> Outcomes:
    """Yield the outcomes of one connection. Raise CancelledError or OSError where the scheduler is lost."""
    from distributed import wait

    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise ClusterError("no worker has joined: start some with: python3 lab cluster ADDRESS") from None
    queue = list(tasks.items())[::-1]
    running: dict[Any, str] = {}
    while queue or running:
        ahead = AHEAD * max(1, sum(client.nthreads().values()))
        while queue and len(running) < ahead:
            name, arguments = queue.pop()
            running[client.submit(task, *arguments, pure=False)] = name
        try:
            done = wait(list(running), timeout=TASK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            raise ClusterError(f"no task has ended in {TASK_S} s: look at the workers") from None
        for future in done:
            outcome = future.exception() if future.status == "error" else future.result()
            yield running.pop(future), outcome
