"""The asking side of ``runner``: a student's file in a process of its own, called like a function, bounded in
everything.

``StudentCode(path)`` starts the process when it is first needed, again after it has died, and ends it with ``close``
(it is a context manager). Each call has a time limit, each answer and everything printed a size limit. Whatever goes
wrong comes as an exception that says so in one sentence:

    NotAttempted   the stub's own NotImplementedError
    Raised         the student's code raised; kind, text and line of it
    TimeUp         no answer in time: an endless loop, or a wait that nobody ends
    Died           the process ended, flooded its output, or answered with something that is no answer

``command`` turns the runner's argument list into the one to start: the grader puts its sandbox around it there.
"""

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.checking import runner

TIME_S = 10.0  # for one call; the solutions take milliseconds
START_S = 30.0  # until Python has started, on a busy machine
MEMORY_BYTES = 1 << 30  # address space
MOST_PRINTED = 1 << 20  # bytes
LONGEST_ANSWER = 16 << 20  # bytes
RUNNER = Path(runner.__file__)


class Failed(Exception):
    """The student's code gave no result; the text says why."""

    hostile = False


class NotAttempted(Failed):
    pass


class Raised(Failed):
    def __init__(self, text: str, kind: str = "", line: int | None = None):
        super().__init__(text)
        self.kind, self.line = kind, line


class TimeUp(Failed):
    pass


class Died(Failed):
    pass


def plain_command(arguments: Sequence[str]) -> list[str]:
    """Python alone, without the site's packages and the user's settings, no sandbox."""
    return [sys.executable, "-I", "-S", *arguments]


class StudentCode:
    """One student's sheet. Not thread-safe: one call at a time."""

    def __init__(
        self,
        path: Path | str,
        time_s: float = TIME_S,
        command: Callable[[Sequence[str]], list[str]] = plain_command,
        memory_bytes: int = MEMORY_BYTES,
        inside_path: str | None = None,
    ):
        """``inside_path`` is where the file stands for the process, if ``command`` changes that."""
        self.path, self.time_s = Path(path), time_s
        self._arguments = [str(RUNNER), inside_path or str(self.path.resolve()), str(memory_bytes)]
        self._command = command
        self._process: subprocess.Popen | None = None
        self._numbers = itertools.count(1)
        self._deadline: float | None = None

    def __enter__(self) -> "StudentCode":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def allow(self, seconds: float) -> None:
        """From now on, all calls together may take this long: a task of many calls is bounded too."""
        self._deadline = time.monotonic() + seconds

    def call(self, function: str, *arguments):
        """What the student's function gives for these arguments. Raises Failed."""
        return self._ask({"call": function}, arguments)

    def session(self, cls: str, arguments: Sequence, calls: Sequence[tuple[str, Sequence]]) -> list:
        """Make an object of the student's class and call methods: a list of results, ended by an exception if one
        raised."""
        outcomes = self._ask(
            {"make": cls, "calls": [[method, runner.pack(list(given))] for method, given in calls]}, arguments, raw=True
        )
        try:
            return [
                _failure(outcome["error"], self.path) if "error" in outcome else runner.unpack(outcome["result"])
                for outcome in outcomes
            ]
        except (KeyError, TypeError, ValueError):
            raise Died("the process sent something that is no answer") from None

    def _ask(self, request: dict, arguments: Sequence, raw: bool = False):
        self._start()
        request |= {"id": next(self._numbers), "arguments": runner.pack(list(arguments))}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it is dead, and the wait below finds out why
        left_s = self.time_s if self._deadline is None else max(0.01, self._deadline - time.monotonic())
        answer = self._wait(min(self.time_s, left_s))
        if "error" in answer and isinstance(answer["error"], dict):
            raise _failure(answer["error"], self.path)
        try:
            if answer["id"] != request["id"]:
                raise ValueError
            return answer["result"] if raw else runner.unpack(answer["result"])
        except (KeyError, TypeError, ValueError, RecursionError):
            self.close()
            raise Died("the process sent something that is no answer") from None

    def _start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.close()
        self._lines: queue.Queue = queue.Queue()
        self._printed, self.printed_text, self._flooded = 0, b"", False
        self._process = subprocess.Popen(
            self._command(self._arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
            cwd=self.path.parent,
        )
        self._threads = [
            threading.Thread(target=target, args=[stream], daemon=True)
            for target, stream in (
                (self._read_answers, self._process.stdout),
                (self._read_prints, self._process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()
        if self._wait(START_S, importing=True) != {"ready": True}:
            self.close()
            raise Died("the process sent something that is no answer")

    def _wait(self, limit_s: float, importing: bool = False) -> dict:
        if importing:
            limit_s = min(limit_s, self.time_s + START_S / 6)
        try:
            line = self._lines.get(timeout=limit_s)
        except queue.Empty:
            self.close()
            what = "loading the file" if importing else "the call"
            raise TimeUp(
                f"{what} took longer than {limit_s:.1f} s: an endless loop, or a wait that nobody ends"
            ) from None
        if isinstance(line, str):
            ended = self._process
            self.close()
            raise Died(line if line else _last_words(ended.returncode))
        try:
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError
            return answer
        except (ValueError, RecursionError):
            self.close()
            raise Died("the process sent something that is no answer") from None

    def _read_answers(self, stream) -> None:
        while True:
            try:
                line = stream.readline(LONGEST_ANSWER)
            except (OSError, ValueError):
                line = b""
            if not line:
                self._lines.put("")
                return
            if len(line) >= LONGEST_ANSWER:
                self._lines.put(f"the result is larger than {LONGEST_ANSWER >> 20} MB")
                return
            self._lines.put(line)

    def _read_prints(self, stream) -> None:
        try:
            while piece := stream.read1(1 << 16):
                self._printed += len(piece)
                if len(self.printed_text) < 4096:
                    self.printed_text += piece[:4096]
                if self._printed > MOST_PRINTED:
                    self._lines.put(f"it printed more than {MOST_PRINTED >> 20} MB and was stopped")
                    self._kill()
                    return
        except (OSError, ValueError):
            pass

    def _kill(self) -> None:
        try:
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """End the process and all that it started; may be called twice."""
        if self._process is None:
            return
        process = self._process
        self._kill()
        process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5)
        for stream in (process.stdin, process.stdout, process.stderr):
            try:
                stream.close()
            except OSError:
                pass
        self._process = None


def _last_words(returncode: int | None) -> str:
    return "the process ended in the middle of the call (a crash, or os._exit)"


def _failure(error: dict, path: Path) -> Failed:
    kind, text, line = (error.get(name) for name in ("kind", "text", "line"))
    where = f" in line {line} of {path.name}" if isinstance(line, int) else ""
    if error.get("not_attempted"):
        return NotAttempted("not attempted")
    if error.get("importing"):
        return Raised(f"the file cannot be loaded: {kind}{where}: {text}", str(kind), line)
    if kind == "SystemExit":
        return Raised(f"it left the program (SystemExit{where}) instead of giving a result", str(kind), line)
    if kind == "MemoryError":
        return Raised(f"it needs more memory than there is for one task (MemoryError{where})", str(kind), line)
    return Raised(f"{kind}{where}: {text}", str(kind), line)
