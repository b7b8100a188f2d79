"""Call a student's functions in a process of their own, with every call limited in time, size and memory.

This is the calling side of ``runner``. ``StudentCode(path)`` starts the process when it is first needed, and again after
it has died; ``close`` ends it. Each call has a time limit; each result and everything printed has a size limit. Every
failure is a ``Failed`` whose text is one sentence.

A check makes the same calls for everyone, and waiting for each answer by itself takes longer than most functions do. So
``make_again`` makes in one message the calls that were ``made`` for somebody else, and ``replay`` hands out their answers.

The code may do anything to its process, so the caller never waits for it without a deadline. One thread writes the
messages and two read the outputs; the caller waits on a queue, and everything that arrives is limited before it is used.
``command`` turns the runner's argument list into the command to start: this is where the grader adds its sandbox.
"""

import contextlib
import functools
import itertools
import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from lab.exercises.checks import process_tree, runner
from lab.exercises.checks.failures import Died, Failed, TimeUp, failure_of

TIME_S = 10.0  # for one call; the solutions take milliseconds
START_S = 30.0  # until Python has started, on a busy machine
MEMORY_BYTES = 1 << 30  # address space
MOST_PRINTED = 1 << 20  # bytes
LONGEST_ANSWER = 4 << 20  # bytes
LONGEST_NUMBER = 400  # digits; Python itself limits them only since 3.10.7
MOST_KEPT = 3  # of what arrives: the answer, the end, and a message about the other output
WATCH_S = 0.05  # between two checks of the memory
SLACK_BYTES = 64 << 20  # for the processes between us and the code: the launcher and the first one inside
INVALID = "the process sent an invalid response"
INVALID_DATA = (AttributeError, KeyError, TypeError, ValueError, RecursionError)  # raised by reading one
RUNNER = Path(runner.__file__)

Calls = Sequence[tuple[str, Sequence[Any]]]  # methods and their arguments


def plain_command(arguments: Sequence[str]) -> list[str]:
    """Return the command for Python without site packages, user settings or a sandbox."""
    return [sys.executable, "-I", "-S", *arguments]


class StudentCode:
    """Run one student's sheet. Not thread-safe: make one call at a time.

    If ``path`` is set to another file of the same folder, the next call is made there, in the same process.
    """

    def __init__(
        self,
        path: Path | str,
        time_s: float = TIME_S,
        command: Callable[[Sequence[str]], list[str]] = plain_command,
        memory_bytes: int = MEMORY_BYTES,
    ):
        self.path, self.time_s = Path(path), time_s
        self.until = math.inf  # of time.monotonic(): when ``attempts`` begins no further task
        self._broken: dict[Path, Failed] = {}  # files that did not load in a process of their own, and why
        self.alone = True  # whether the process has loaded no other file
        self._loaded = self.path
        self._command, self._memory_bytes = command, memory_bytes
        self.process: subprocess.Popen[bytes] | None = None
        self.made: list[bytes] = []  # requests since the last ``allow``
        self._replayed: deque[tuple[bytes, dict[str, Any]]] = deque()  # requests and their answers
        self._numbers = itertools.count(1)
        self._allowed_s = self._deadline = math.inf  # of a task's calls together: seconds, and when they end

    def __enter__(self) -> "StudentCode":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def allow(self, seconds: float) -> None:
        """Begin a task: limit the time of all its calls together, so that a task of many calls is limited too."""
        self._allowed_s, self._deadline = seconds, time.monotonic() + seconds
        self.made = []
        self._replayed.clear()

    def make_again(self, requests: Sequence[bytes]) -> bytes | None:
        """Make calls again in one message; return the answers up to the first error as they arrived, for ``replay``.

        Return None, and end the process, if they need more than the time or size of one call, or are invalid.
        """
        with contextlib.suppress(Failed):
            return self._send(requests)
        return None

    def replay(self, requests: Iterable[bytes], answers: bytes) -> None:
        """Answer the next calls with ``answers``, if they are these. Others are made, in a new process. Raises Died."""
        self._replayed.extend(zip(requests, self._parse(answers), strict=False))

    def call(self, function: str, *arguments: Any) -> Any:
        """Return the result of the student's function for these arguments. Raises Failed."""
        return self._ask({"call": function}, arguments, runner.unpack)

    def session(self, cls: str, arguments: Sequence[Any], calls: Calls) -> list[Any]:
        """Create an object of the student's class, call its methods and return their results.

        If a method raised, the last item is a ``Raised``.
        """

        def read_each(outcomes: Any) -> list[Any]:
            return [read(one) for one in outcomes]

        def read(one: Any) -> Any:
            return failure_of(one["error"], self.path) if "error" in one else runner.unpack(one["result"])

        listed = [(method, list(given)) for method, given in calls]
        return self._ask({"make": cls, "calls": listed}, arguments, read_each)

    def _ask(self, request: dict[str, Any], arguments: Sequence[Any], read: Callable[[Any], Any]) -> Any:
        dumped = runner.dump(request | {"arguments": list(arguments)})
        answer = self._answer_again(dumped) or self._answer(dumped)
        try:
            if "error" in answer:
                raise failure_of(answer["error"], self.path)
            return read(answer["result"])
        except INVALID_DATA:
            raise self._end(INVALID) from None

    def _answer_again(self, dumped: bytes) -> dict[str, Any] | None:
        """Return the replayed answer to this request, or None."""
        if self._replayed:
            request, answer = self._replayed.popleft()
            if request == dumped:
                return answer
            self._replayed.clear()
            self.close()  # it has made calls that this check does not make
        return None

    def _answer(self, dumped: bytes) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.made.append(dumped)
        answers = self._parse(self._send([dumped]))
        if len(answers) != 1:
            raise self._end(INVALID)
        return answers[0]

    def _send(self, requests: Sequence[bytes]) -> bytes:
        """Send requests in one message; return their answers as they arrived."""
        self._start()
        number = next(self._numbers)
        self._messages.put(runner.dump({"id": number, "requests": requests}))
        left_s = self._deadline - time.monotonic()
        what, allowed_s = "the call", self.time_s
        if left_s < self.time_s:
            what, allowed_s = "the calls of this task together", self._allowed_s
        line = self._wait(min(left_s, self.time_s), f"{what} took longer than {allowed_s:g} s")
        head, end = f'{{"id": {number}, "answers": '.encode(), b"}\n"
        if not (line.startswith(head) and line.endswith(end)):
            raise self._end(INVALID)
        return line[len(head) : -len(end)]

    def _parse(self, answers: bytes) -> list[dict[str, Any]]:
        try:
            read = json.loads(answers, parse_int=_number)
            if not isinstance(read, list) or not all(isinstance(one, dict) for one in read):
                raise ValueError
            return read
        except INVALID_DATA:
            raise self._end(INVALID) from None

    def _start(self) -> None:
        if self.path in self._broken:
            raise self._broken[self.path]
        if self.process and self.process.poll() is None:
            if self._loaded != self.path:
                self.alone, self._loaded = False, self.path
                self._messages.put(runner.dump({"load": self.path.name}))
                self._wait_until_loaded()
            return
        self.close()
        self.alone, self._loaded = True, self.path
        arguments = [str(RUNNER), str(self.path.resolve()), str(self._memory_bytes)]
        self._messages: queue.Queue[bytes | None] = queue.Queue()
        self.lines: queue.Queue[bytes | str] = queue.Queue(MOST_KEPT)
        process = self.process = subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
            cwd=self.path.parent,
        )
        report = functools.partial(_report, self.lines, process.pid)
        work = (
            (process.stdin, _write_messages, self._messages),
            (process.stdout, _read_answers, report),
            (process.stderr, _read_prints, report),
        )
        self._threads = [threading.Thread(target=_serve, args=one, daemon=True) for one in work]
        for thread in self._threads:
            thread.start()
        self._wait_until_loaded()

    def _wait_until_loaded(self) -> None:
        try:
            limit_s = min(START_S, self.time_s + START_S / 6)
            ready = self._wait(limit_s, f"loading the file took longer than {limit_s:g} s")
        except Failed as failure:
            failure.loading = True
            if self.alone:
                self._broken[self.path] = failure
            raise
        if ready != b'{"ready": true}\n':
            raise self._end(INVALID)

    def _wait(self, limit_s: float, too_long: str) -> bytes:
        """Return the next line; watch the memory until it comes. Raise TimeUp, saying what took ``too_long``."""
        deadline = time.monotonic() + limit_s
        line: bytes | str | None = None
        while line is None:
            if (left_s := deadline - time.monotonic()) <= 0:
                self.close()
                raise TimeUp(f"{too_long}: an endless loop, or a wait that never ends")
            try:
                line = self.lines.get(timeout=min(left_s, WATCH_S))
            except queue.Empty:
                most = self._memory_bytes + SLACK_BYTES
                if self.process and process_tree.holds_more_than(self.process.pid, most):
                    line = "it and the processes it started took more memory than one task may use"
        if isinstance(line, str):
            raise self._end(line)
        return line

    def _end(self, reason: str) -> Died:
        """End the process; return the error to raise."""
        self.close()
        return Died(reason)

    def close(self) -> None:
        """End the process and everything that it started. May be called twice."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process_tree.kill(process.pid)
        process.wait()
        self._messages.put(None)
        for thread in self._threads:
            thread.join(1)  # longer only without a sandbox: a process that left the tree may hold a pipe


def _serve(stream: IO[bytes], serve: Callable[[IO[bytes], Any], None], argument: Any) -> None:
    """Do one thread's work and close its stream, which no other thread may close while it is in use."""
    try:
        with stream:
            serve(stream, argument)
    except (OSError, ValueError):
        pass  # the process has ended; the caller notices by its output


def _write_messages(stream: IO[bytes], messages: "queue.Queue[bytes | None]") -> None:
    while (message := messages.get()) is not None:
        stream.write(message)
        stream.flush()


def _read_answers(stream: IO[bytes], report: Callable[[bytes | str], None]) -> None:
    while line := stream.readline(LONGEST_ANSWER):
        if len(line) >= LONGEST_ANSWER:
            return report(f"the result is larger than {LONGEST_ANSWER >> 20} MB")
        report(line)
    report("the process ended in the middle of the call (a crash, os._exit, or too many threads or files)")


def _read_prints(stream: IO[bytes], report: Callable[[bytes | str], None]) -> None:
    printed = 0
    while piece := os.read(stream.fileno(), 1 << 16):
        printed += len(piece)
        if printed > MOST_PRINTED:
            return report(f"it printed more than {MOST_PRINTED >> 20} MB and was stopped")


def _report(lines: "queue.Queue[bytes | str]", pid: int, line: bytes | str) -> None:
    """Hand a line to the caller. Kill a process that sends more of them than it was asked for."""
    try:
        lines.put_nowait(line)
    except queue.Full:
        process_tree.kill(pid)


def _number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("the number is too long")
    return int(digits)
