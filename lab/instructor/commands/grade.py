"""``python3 lab grade SUBMISSIONS --roster roster.csv``: grade every submission in a sandbox.

OUT/grades.csv     everybody on the roster; canvas.csv and moodle.csv are ready to import
OUT/class.html     which tasks fail most, and how; shared recordings; what needs a look
OUT/feedback/      a page for each student         OUT/gradescope/  results.json for each
OUT/copies.csv     recordings that several handed in
OUT/results/       the results, one file each: an interrupted run continues; unchanged work is not run again
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from lab.setup.folder_lock import folder_lock

WORK = "lab-grade-"  # how its temporary folders are named


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab grade", description="Grade what was handed in, each in its own sandbox."
    )
    parser.add_argument("submissions", type=Path, help="a folder of submissions: folders, zips, or both")
    parser.add_argument("--roster", type=Path, required=True, metavar="CSV", help="the class list")
    parser.add_argument(
        "--course", metavar="KEY", default="lab", help="the course's key, as given to lab capture"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("grades"), metavar="DIR", help="folder to write (default: grades)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 2, help="how many at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--any-course", action="store_true", help="write grades where nobody's recording fits the course"
    )
    parser.add_argument(
        "--again", action="store_true", help="grade everything again, also what has not changed"
    )
    parser.add_argument(
        "--no-sandbox", action="store_true", help="limits only: a hand-in can read your files"
    )
    options = parser.parse_args(argv)
    from lab.instructor.roster import RosterError, read_roster

    try:
        roster = read_roster(options.roster)
        if not options.submissions.is_dir():
            raise RosterError(f"{options.submissions} is not a folder")
        with _work_folder() as work:
            return _grade(options, roster, work)
    except RosterError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"grade: {error.filename or options.out}: {error.strerror or error}", file=sys.stderr)
        return 2


def _grade(options: argparse.Namespace, roster: list, work: Path) -> int:
    from lab.exercises.checks.child import RUNNER
    from lab.instructor import copies, outputs, pages, sandbox, submissions

    sandboxed = not options.no_sandbox
    if sandboxed and (refused := sandbox.refusal(RUNNER, work)):
        print(f"grade: {_diagnosis(refused)}, or --no-sandbox if you trust all hand-ins", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    found, notes = submissions.find(options.submissions, roster)
    if not sandboxed:
        notes.append("graded without a sandbox: limits on time, memory and processes only")
    results = _mark_all(found, options, sandboxed, work)
    theirs = [result.own_recording for result in results.values() if result.own_recording is not None]
    if theirs and not any(theirs) and not options.any_course:
        print(
            f"grade: nobody's recording is of the course {options.course!r}: say --course KEY as it was recorded with, "
            "or --any-course to write grades all the same",
            file=sys.stderr,
        )
        return 2
    notes += [f"{one}: {remark}" for one, result in results.items() for remark in result.remarks]
    traces = {one: _all_traces(result) for one, result in results.items()}
    pairs = copies.compare(traces)
    if many := copies.handed_in_by_many(traces):
        notes.append(f"{len(many)} handed in the same recording (the course's own?): {', '.join(many)}")
    written = outputs.write_grades(options.out, roster, results, pairs)
    for result in results.values():
        outputs.write_gradescope(options.out, result)
    written.append(pages.write_pages(options.out, roster, results, pairs, notes))
    for note in notes:
        print(f"  look: {outputs.readable(note)}")
    for pair in pairs:
        print(f"  same recording: {pair}")
    missing = len(roster) - len(results)
    print(
        f"{len(results)} graded, {missing} on the roster handed in nothing, {len(pairs)} pairs share a recording"
    )
    print("\n".join(str(path) for path in written))
    return 0


def _all_traces(result) -> list[str]:
    return [trace for held in result.traces.values() for trace in held]


def _diagnosis(refused: str) -> str:
    """Why there is no sandbox here, and the one way out, in a line."""
    from lab.net import namespace

    cause, fix = refused, "grade on Linux, in a virtual machine"
    if sys.platform.startswith("linux"):
        cause, fix = namespace.cause_of(refused, otherwise=fix)
    return f"no sandbox here: {cause}. The fix: {fix}"


@contextlib.contextmanager
def _work_folder():
    """A folder that nobody else may enter, for what is unpacked; those of killed graders go.

    A grader holds a lock on its folder while it lives.
    """
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


def _mark_all(found: list, options: argparse.Namespace, sandboxed: bool, work: Path) -> dict:
    """A Result for each submission, from ``results/`` where nothing has changed since."""
    from lab.instructor.marking import rules_fingerprint

    kept = options.out / "results"
    kept.mkdir(exist_ok=True)
    results, waiting = {}, []
    for submission in found:
        fingerprint = f"{submission.fingerprint()}-{rules_fingerprint(options.course)}-{sandboxed}"
        before = None if options.again else _read_result(kept / f"{submission.id}.json")
        if before and before.fingerprint == fingerprint:
            results[submission.id] = before
        else:
            waiting.append((submission, fingerprint))
    total = len(found)
    _tell(len(results), total, "unchanged since the last time" if results else "")
    for submission, _ in waiting:
        submission.unpack(work / submission.id)
    jobs = [(one.id, work / one.id, options.course, sandboxed, mark, one.remarks) for one, mark in waiting]
    for result in in_processes(jobs, max(1, options.jobs)):
        _write_result(kept / f"{result.id}.json", result)
        results[result.id] = result
        shutil.rmtree(work / result.id, ignore_errors=True)
        _tell(len(results), total, f"{result.id}  {result.points:g} of {result.of:g}")
    return {one.id: results[one.id] for one in found if one.id in results}


def in_processes(jobs: list, workers: int):
    """The results as they come. A worker that dies (out of memory, say) costs its own submission, and is reported so."""
    waiting, suspects = list(reversed(jobs)), []
    while waiting or suspects:
        # After a crash nobody knows whose it was: those who were running are tried again one at a time.
        alone = bool(suspects)
        pool = ProcessPoolExecutor(
            1 if alone else workers, mp_context=get_context("spawn"), initializer=_end_with_the_grader
        )
        running = {}
        try:
            queue = [suspects.pop()] if alone else waiting
            while queue or running:
                with _deaf_to_ctrl_c():  # the workers, which are started here; they finish what they are at
                    while queue and len(running) < (1 if alone else 2 * workers):
                        running[pool.submit(_mark_one, *queue[-1])] = queue[-1]
                        queue.pop()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        raise
                    except Exception as error:
                        result = _failed(
                            running[future], f"the grader failed ({type(error).__name__}: {error!s:.200})"
                        )
                    del running[future]
                    yield result
        except BrokenProcessPool:
            if alone:
                for job in list(running.values()) or queue:
                    yield _failed(job, "the grader itself was ended by this submission")
            else:
                suspects += list(running.values())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _failed(job: tuple, reason: str):
    from lab.instructor.marking import Result

    student, _, _, _, fingerprint, _ = job
    return Result(student, fingerprint, remarks=[f"{reason}: look at it by hand"])


@contextlib.contextmanager
def _deaf_to_ctrl_c():
    """Processes that are started within ignore Ctrl-C, from their first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with_the_grader() -> None:
    """In a worker process: end, and with it the sandbox, as soon as the grader has ended, however it did."""

    def wait_for_it() -> None:
        connection.wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()


def _mark_one(student: str, folder: Path, key: str, sandboxed: bool, fingerprint: str, remarks: list):
    """In a worker process."""
    import warnings

    from lab.instructor.marking import mark

    warnings.simplefilter("ignore", RuntimeWarning)  # numbers that wrap around do so in numpy's scalars too
    return mark(student, folder, key, sandboxed, fingerprint, remarks)


def _read_result(path: Path):
    from lab.instructor.marking import Result

    try:
        return Result.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or cut off while it was written


def _write_result(path: Path, result) -> None:
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(result.to_dict()), encoding="utf-8")
    partial.replace(path)


def _tell(done: int, total: int, what: str) -> None:
    filled = 30 * done // max(total, 1)
    line = f"[{'#' * filled}{'.' * (30 - filled)}] {done} of {total}  {what}"
    live = sys.stdout.isatty()
    print(f"\r\x1b[K{line[:110]}" if live else line, end="" if live and done < total else "\n", flush=True)
