"""Mark many submissions at once: worker processes, results that are kept, and what happens when a worker dies."""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from lab.commands import print_bar
from lab.instructor.marking import Mark, Result, mark, rules_fingerprint
from lab.instructor.roster import RosterError, time_left
from lab.instructor.submissions import Submission
from lab.setup.folder_lock import folder_lock

RESULTS = "results"  # a folder of --out
WORK = "lab-grade-"  # how its temporary folders are named
Waiting = list[tuple[Submission, str]]  # submissions and their fingerprints
Grade = Callable[[Waiting, int, str], Iterator[Result]]  # called with jobs and the course's key
Job = tuple[Path, Submission, str, str, str]  # the arguments of mark_in


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """Yield a private folder, locked while this grader lives; remove those of killed graders."""
    for left in Path(tempfile.gettempdir()).glob(f"{WORK}*"):
        with contextlib.suppress(OSError):  # in use, or somebody else's
            if os.name != "posix" or left.lstat().st_uid == os.getuid():
                with folder_lock(left):
                    shutil.rmtree(left, ignore_errors=True)
    with contextlib.ExitStack() as held:
        while True:
            work = Path(tempfile.mkdtemp(prefix=WORK))
            with contextlib.suppress(OSError):  # another grader has just found it unlocked, and removed it
                held.enter_context(folder_lock(work))
                if work.exists():
                    break
        held.callback(shutil.rmtree, work, ignore_errors=True)
        yield work


def make_results(out: Path) -> None:
    """Make the folder of the results. Raise RosterError where it cannot be written."""
    try:
        (out / RESULTS).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out / RESULTS).close()
    except OSError as error:
        raise RosterError(f"cannot write into {out}: {error.strerror}; choose another --out") from error


def mark_all(found: list[Submission], options: Namespace, grade: Grade) -> dict[str, Result]:
    """Return a Result for each submission, from ``results/`` where nothing has changed since; ``grade`` does the rest."""
    kept = options.out / RESULTS
    results: dict[str, Result] = {}
    rules = f"{rules_fingerprint(options.course)}-{not options.no_sandbox}"
    waiting = []
    for submission in found:
        fingerprint = f"{submission.fingerprint()}-{rules}"
        before = None if options.again else _read_result(kept / f"{submission.id}.json")
        if before and before.fingerprint == fingerprint:
            results[submission.id] = before
        else:
            waiting.append((submission, fingerprint))
    total, unchanged, started_s = len(found), len(results), time.monotonic()
    print_bar(unchanged, total, "unchanged since the last time" if results else "")
    try:
        for result in grade(waiting, options.jobs, options.course):
            if result.marks:  # where the grader failed, it may do better the next time
                partial = kept / f"{result.id}.part"
                partial.write_text(json.dumps(result, default=vars), encoding="utf-8")
                partial.replace(kept / f"{result.id}.json")
            results[result.id] = result
            left = time_left(started_s, len(results) - unchanged, total - len(results))
            print_bar(len(results), total, f"{result.id}  {result.points:g} of {result.of:g}{left}")
    except KeyboardInterrupt:
        ends = "ends when the hand-ins under way are graded; the same command goes on from there"
        print(f"\n{len(results)} of {total} results are kept in {kept}; this {ends}", file=sys.stderr)
        raise
    return {one.id: results[one.id] for one in found if one.id in results}


def grade_here(work: Path, way: str, waiting: Waiting, jobs: int, key: str) -> Iterator[Result]:
    """Yield the results as they come, from processes on this machine."""
    return in_processes([(work, one, key, way, fingerprint) for one, fingerprint in waiting], jobs)


def mark_in(work: Path, submission: Submission, key: str, way: str, fingerprint: str) -> Result:
    """Unpack a submission into a folder of ``work``, grade it, and remove the folder."""
    folder = work / submission.id
    try:
        submission.unpack(folder)
        return mark(submission.id, folder, key, way, fingerprint, submission.remarks)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_processes(jobs: list[Job], workers: int) -> Iterator[Result]:
    """Yield the results as they come. A worker that dies (out of memory, say) costs only its own submission."""
    waiting = jobs[::-1]
    suspects: list[Job] = []
    while waiting or suspects:
        # After a crash nobody knows whose it was: those who were running are tried again one at a time.
        alone = bool(suspects)
        context, at_once = get_context("spawn"), 1 if alone else workers
        pool = ProcessPoolExecutor(at_once, mp_context=context, initializer=_start_worker)
        running: dict[Future[Result], Job] = {}
        try:
            queue = [suspects.pop()] if alone else waiting
            while queue or running:
                with _ignoring_ctrl_c():  # the workers, which are started here, finish their tasks
                    while queue and len(running) < (1 if alone else 2 * workers):
                        running[pool.submit(mark_in, *queue[-1])] = queue[-1]
                        queue.pop()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        raise
                    except Exception as error:
                        _, submission, _, _, fingerprint = running[future]
                        result = failed(submission.id, fingerprint, error)
                    del running[future]
                    yield result
        except BrokenProcessPool:
            if alone:
                for _, submission, _, _, fingerprint in list(running.values()) or queue:
                    yield failed(submission.id, fingerprint)
            else:
                suspects += list(running.values())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def failed(student: str, fingerprint: str, error: Exception | None = None) -> Result:
    """Return the result of a submission that has ended the grader, or made it raise ``error``."""
    reason = "the grader itself was ended by this submission"
    if error:
        reason = f"the grader failed ({type(error).__name__}: {error!s:.200})"
    return Result(student, fingerprint, remarks=[f"{reason}: look at it by hand"])


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Make processes that are started within ignore Ctrl-C, from their first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker() -> None:
    """Make this worker, and with it the sandbox, end as soon as the grader has ended for any reason."""
    warnings.simplefilter("ignore", RuntimeWarning)  # numbers that wrap around do so in numpy's scalars too
    grader = parent_process()
    assert grader

    def wait_for_it() -> None:
        connection.wait([grader.sentinel])
        os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()


def _read_result(path: Path) -> Result | None:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Result(**{**saved, "marks": [Mark(**one) for one in saved["marks"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or cut off while it was written
