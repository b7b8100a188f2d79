"""Read a student's recordings, in a process with limits (``limited_process``)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.dissect.files.capture_file import GZIP_MAGIC, read_capture
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import read_segments
from lab.harness.student_capture import ATTACK, PLAIN, TLS
from lab.harness.student_profile import profile
from lab.instructor import answer_key, copies, limited_process

MOST_FRAMES = 50_000  # of a recording


@dataclass
class Examined:
    """The findings about the recordings of one student."""

    readable: list[str] = field(default_factory=list)  # their names
    remarks: list[str] = field(default_factory=list)  # about the others
    traces: dict[str, list[str]] = field(default_factory=dict)  # see ``copies``
    right: dict[str, list] = field(default_factory=dict)  # the answer key; without one, the next two say why
    wrong_conversation: str = ""
    no_key: str = ""
    no_attack: str = ""  # why there are no answers about the attack, where there is a recording


def examine_apart(folder: Path, student: str, key: str) -> Examined:
    """Read the recordings in ``folder`` in a process of their own. Nothing in them makes this raise an exception."""
    present = [name for name in (PLAIN, TLS, ATTACK) if (folder / name).exists()]
    if not present:
        return Examined()
    answer = limited_process.ask(__name__, str(folder.resolve()), student, key)
    if answer is None:
        why = f"reading takes more than {limited_process.BOUNDS}; left out"
        return Examined(remarks=[f"{' and '.join(present)}: {why}"])
    return Examined(**answer)


def examine(folder: str, student: str, key: str) -> dict[str, Any]:
    """Return what ``examine_apart`` does, as a dict, in this process."""
    found, flows = Examined(), {}
    for name in (PLAIN, TLS, ATTACK):
        path = Path(folder) / name
        if path.exists():
            try:
                flows[name] = read_flows(path)
                found.traces[name] = copies.traces(flows[name])
                found.readable.append(name)
            except (OSError, ValueError) as error:
                found.remarks.append(f"{name}: {str(error).removeprefix(f'{path}: ')}")
    if not {PLAIN, TLS} <= set(found.readable):
        return vars(found)
    one = profile(student, key)
    try:
        found.wrong_conversation = answer_key.wrong_conversation(flows[PLAIN], one) or ""
        if not found.wrong_conversation:
            found.right = answer_key.derive(flows[PLAIN], flows[TLS], one)
    except (ValueError, IndexError) as error:
        found.no_key = str(error)
    if found.right and ATTACK in found.readable:
        try:
            found.right |= answer_key.derive_attack(folder, one)
        except (OSError, ValueError) as error:
            found.no_attack = str(error)
    return vars(found)


def read_flows(path: Path) -> list[Flow]:
    """Return a recording's connections. Raise OSError, or ValueError for one that no student made."""
    with open(path, "rb") as file:
        if file.read(2) == GZIP_MAGIC:
            raise ValueError("packed with gzip; hand in the recording as it was made")
    capture = read_capture(path)
    if (count := len(capture)) > MOST_FRAMES:
        raise ValueError(f"{count} frames, where a conversation of the course has a few hundred")
    return find_flows(read_segments(capture))
