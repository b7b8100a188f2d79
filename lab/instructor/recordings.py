"""Read a student's recordings in a process with limits, since a file can be made to cost much.

``examine_apart`` starts ``python -m lab.instructor.recordings``, which reads the folder, the student and the course's
key from standard input and writes what it found as JSON. It runs none of the student's code. A conversation of the
course takes a tenth of CPU_S and MEMORY_BYTES.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.dissect.files.capture_file import CaptureError, read_capture
from lab.harness.student_capture import PLAIN, TLS, profile
from lab.instructor import answer_key, copies
from lab.setup.paths import ROOT

CPU_S, WAIT_S = 6, 60
MEMORY_BYTES = 448 << 20
LONGEST_REPORT = 32 << 20  # bytes
MOST_FRAMES = 50_000  # of a recording
GZIP_MAGIC = b"\x1f\x8b"


@dataclass
class Examined:
    """The findings about the recordings of one student."""

    readable: list[str] = field(default_factory=list)  # their names
    remarks: list[str] = field(default_factory=list)  # about the others
    traces: dict[str, list[str]] = field(default_factory=dict)  # see ``copies``
    right: dict[str, list] = field(default_factory=dict)  # the answer key; without one, the next two say why
    wrong_conversation: str = ""
    no_key: str = ""


def examine_apart(folder: Path, student: str, key: str) -> Examined:
    """Read the recordings in ``folder`` in a process of their own. Nothing in them makes this raise an exception."""
    present = [name for name in (PLAIN, TLS) if (folder / name).exists()]
    if not present:
        return Examined()
    command = [sys.executable, "-m", __name__]
    asked = json.dumps([str(folder.resolve()), student, key]).encode()
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each of its threads reserves address space
    try:
        done = subprocess.run(command, input=asked, capture_output=True, cwd=ROOT, env=env, timeout=WAIT_S)
        if done.returncode == 0 and len(done.stdout) <= LONGEST_REPORT:
            return Examined(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        pass
    bounds = f"{CPU_S} s or {MEMORY_BYTES >> 20} MB"
    return Examined(remarks=[f"{' and '.join(present)}: reading takes more than {bounds}; left out"])


def _examine(folder: Path, student: str, key: str) -> Examined:
    found = Examined()
    for name in (PLAIN, TLS):
        if (folder / name).exists():
            try:
                with open(folder / name, "rb") as file:
                    if file.read(2) == GZIP_MAGIC:
                        raise ValueError("packed with gzip; hand in the recording as it was made")
                if (count := len(read_capture(folder / name))) > MOST_FRAMES:
                    raise ValueError(f"{count} frames, where a conversation of the course has a few hundred")
                found.traces[name] = copies.traces(folder / name)
                found.readable.append(name)
            except (CaptureError, OSError, ValueError) as error:
                found.remarks.append(f"{name}: {str(error).removeprefix(f'{folder / name}: ')}")
    if len(found.readable) < 2:
        return found
    one = profile(student, key)
    try:
        found.wrong_conversation = answer_key.wrong_conversation(folder, one) or ""
        if not found.wrong_conversation:
            found.right = answer_key.derive(folder, one)
    except (answer_key.NoAnswer, CaptureError, OSError, ValueError, IndexError) as error:
        found.no_key = str(error)
    return found


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return  # Windows: the time that ``examine_apart`` waits is the bound
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit()
    folder, student, key = json.load(sys.stdin)
    json.dump(asdict(_examine(Path(folder), student, key)), sys.stdout)
