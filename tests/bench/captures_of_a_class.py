"""A class's recordings and doctored copies among them: ``python -m tests.bench.captures_of_a_class --recordings
DIR``.

DIR is what ``lab capture --roster`` made (without it, COUNT students are recorded first). Twenty copies are doctored
in every way of ``DOCTORS`` and handed in under other names; every one must be found, and no pair besides. Then every
recording's answer key is derived, and no two may be the same. Exit code 1 otherwise.
"""

import argparse
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.dissect.files.capture_file import CaptureWriter, read_capture
from lab.harness.student_capture import PLAIN, TLS
from lab.harness.student_profile import profile
from lab.instructor import answer_key, copies
from lab.instructor.recordings import read_flows
from lab.instructor.roster import Entry, record_roster
from tests.bench import end_on_sigterm

Frame = tuple[int, bytes]  # time in ns, bytes


def load(path: Path) -> list[Frame]:
    capture = read_capture(path)
    return [(int(capture.time_ns[n - 1]), bytes(capture.frame(n))) for n in range(1, len(capture) + 1)]


def as_pcapng(path: Path, frames: list[Frame]) -> None:
    with CaptureWriter(path) as writer:
        writer.add_interface("eth0")
        for time_ns, frame in frames:
            writer.write(frame, time_ns)


def as_pcap(path: Path, frames: list[Frame]) -> None:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for time_ns, frame in frames:
        seconds, rest = divmod(time_ns, 10**9)
        out.append(struct.pack("<IIII", seconds, rest // 1000, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(out))


def same(frames: list[Frame]) -> list[Frame]:
    return frames


def beginning_cut(frames: list[Frame]) -> list[Frame]:
    return frames[len(frames) // 2 :]


def end_cut(frames: list[Frame]) -> list[Frame]:
    return frames[: len(frames) // 3]


def middle(frames: list[Frame]) -> list[Frame]:
    return frames[len(frames) // 3 : 2 * len(frames) // 3]


def every_third_left_out(frames: list[Frame]) -> list[Frame]:
    return [frame for place, frame in enumerate(frames) if place % 3]


def other_addresses(frames: list[Frame]) -> list[Frame]:
    """MACs, IPv4 addresses and the client's port rewritten, as tcprewrite does; checksums left wrong."""
    changed = []
    for time_ns, frame in frames:
        data = bytearray(frame)
        data[:12] = bytes(byte ^ 0x5A for byte in data[:12])
        if data[12:14] == b"\x08\x00":
            data[26:34] = bytes(byte ^ 0x33 for byte in data[26:34])
            data[34:38] = bytes(byte ^ 0x11 for byte in data[34:38])
        changed.append((time_ns, bytes(data)))
    return changed


def other_times(frames: list[Frame]) -> list[Frame]:
    """All moved by the same time, as editcap -t does."""
    return [(time_ns + 86_400_123_456_000, frame) for time_ns, frame in frames]


def other_numbers(frames: list[Frame]) -> list[Frame]:
    """Sequence and acknowledgement numbers shifted: more than any ready-made tool does."""
    changed = []
    for time_ns, frame in frames:
        data = bytearray(frame)
        if data[12:14] == b"\x08\x00" and data[23] == 6 and len(data) >= 46:
            for at in (38, 42):
                number = int.from_bytes(data[at : at + 4], "big")
                data[at : at + 4] = ((number + 123_456_789) % 2**32).to_bytes(4, "big")
        changed.append((time_ns, bytes(data)))
    return changed


def other_times_and_numbers(frames: list[Frame]) -> list[Frame]:
    return other_times(other_numbers(frames))


def cut_rewritten_and_moved(frames: list[Frame]) -> list[Frame]:
    return other_times(other_addresses(beginning_cut(frames)))


DOCTORS: list[tuple[Callable, Callable]] = [
    (change, write)
    for change in (
        same, beginning_cut, end_cut, middle, every_third_left_out, other_addresses, other_times, other_numbers,
        other_times_and_numbers, cut_rewritten_and_moved,
    )
    for write in (as_pcapng, as_pcap)
]  # fmt: skip


def doctor(
    students: list[str], folder: Path, into: Path, dice: random.Random, many: int
) -> dict[str, tuple[str, list[str]]]:
    """(whose it really is and how it was changed, traces) of each doctored copy, by the name of who hands it in."""
    made = {}
    for number, owner in enumerate(dice.sample(students, many)):
        change, write = DOCTORS[number % len(DOCTORS)]
        name = f"copycat{number:03}"
        held = []
        for file in (PLAIN,) if change is not same and number % 2 else (PLAIN, TLS):
            path = into / f"{name}-{file}"
            write(path, change(load(folder / owner / file)))
            held += copies.traces(read_flows(path))
        made[name] = (f"{owner}, {change.__name__}, {write.__name__}", held)
    return made


def check(folder: Path, key: str, many: int = 20) -> list[str]:
    """What is not as it must be among the recordings in ``folder``, with ``many`` doctored copies put in."""
    students = sorted(path.parent.name for path in folder.glob("*/about.json"))
    held = {
        one: [trace for file in (PLAIN, TLS) for trace in copies.traces(read_flows(folder / one / file))]
        for one in students
    }
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        made = doctor(students, folder, Path(temporary), random.Random("copies"), min(many, len(students)))
    pairs = {
        (pair.first, pair.second)
        for pair in copies.find_pairs(held | {name: traces for name, (_, traces) in made.items()})
    }
    wanted = {(name, what.split(",")[0]) for name, (what, _) in made.items()}
    found += [f"not found: {first} is {made[first][0]}" for first, second in wanted - pairs]
    found += [f"no copies, but reported: {first} and {second}" for first, second in pairs - wanted]
    flows = {one: [read_flows(folder / one / file) for file in (PLAIN, TLS)] for one in students}
    keys = [repr(answer_key.derive(*flows[one], profile(one, key))) for one in students]
    if len(set(keys)) != len(students):
        found.append(f"{len(students) - len(set(keys))} answer keys are not the only ones of their kind")
    print(
        f"{len(students)} recordings, {len(made)} doctored copies: {len(wanted & pairs)} found, "
        f"{len(pairs - wanted)} false pairs"
    )
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tests.bench.captures_of_a_class", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--recordings", type=Path, help="made by lab capture --roster")
    parser.add_argument("--course", default="k", help="the key that they were made with")
    parser.add_argument("--count", type=int, default=200, help="how many to record where there are none")
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args(argv)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-class-") as temporary:
        folder = options.recordings or Path(temporary)
        if not options.recordings:
            entries = [Entry(f"s{number:04}") for number in range(options.count)]
            record_roster(
                entries,
                options.course,
                folder,
                options.jobs,
                lambda done, total, what: print(done, total, what),
            )
        found = check(folder, options.course)
    print("\n".join(found))
    print(f"{len(found)} faults, {time.monotonic() - started:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
