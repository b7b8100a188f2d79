"""Find recordings that several students handed in, by numbers that no two recordings share.

A recording is full of numbers that the kernel and the clock drew: they are its fingerprint. ``traces`` collects them,

    isn      initial sequence numbers, 32 random bits a side and connection (RFC 9293 section 3.4.1)
    number   (sequence, acknowledgement) pairs of segments with payload, which remain if the SYNs are cut
    random   the randoms of TLS hellos, 28 or 32 bytes (RFC 8446 section 4.1.2)
    time     the microsecond of each frame
    rhythm   the intervals between several frames in a row: still there when all times were moved

and ``compare`` counts what two students share. Names, file formats, addresses, ports and checksums are not looked at,
so renaming, cutting, saving as pcap and rewriting addresses change nothing. The thresholds are far above what chance
gives (two recordings made at the same moment share a microsecond now and then). It reports; a person judges: two who
worked at one screen share a recording too.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import SYN, read_segments
from lab.dissect.tls.records import HANDSHAKE, read_records

ENOUGH = {
    "isn": 2,
    "number": 4,
    "random": 1,
    "time": 6,
    "rhythm": 4,
}  # shared traces of a kind that make a pair
RHYTHM = 6  # intervals in a row
RHYTHM_LEAST_US = 2_000  # altogether: shorter ones are the speed of a program, and alike on every machine
MOST_FRAMES = 20_000  # of one recording are looked at
CLIENT_HELLO, SERVER_HELLO = 1, 2


@dataclass(frozen=True)
class Pair:
    """Two students whose recordings share more than chance allows. ``shared`` counts traces by kind."""

    first: str
    second: str
    shared: dict[str, int]
    strength: float  # of the smaller recording's traces of the strongest kind, how many are shared: 0 to 1

    def __str__(self) -> str:
        names = {
            "isn": "initial sequence numbers",
            "number": "pairs of sequence and acknowledgement numbers",
            "random": "TLS randoms",
            "time": "times to the microsecond",
            "rhythm": "runs of intervals",
        }
        evidence = ", ".join(
            f"{count} {names[kind]}" for kind, count in self.shared.items() if count >= ENOUGH[kind]
        )
        return f"{self.first} and {self.second}: {evidence} in common ({self.strength:.0%} of the smaller recording)"


def traces(path: Path | str) -> list[str]:
    """The traces of one recording, each as "kind:digest". Raises CaptureError, OSError."""
    segments = read_segments(path)
    rows = range(min(len(segments), MOST_FRAMES))
    found = set()
    times = []
    for row in rows:
        flags, seq, ack = int(segments.flags[row]), int(segments.seq[row]), int(segments.ack[row])
        if flags & SYN:
            found.add(f"isn:{seq}")
        elif int(segments.payload_captured[row]):
            found.add(f"number:{seq}.{ack}")
        microsecond = int(segments.time_ns[row]) // 1000
        times.append(microsecond)
        found.add(f"time:{microsecond}")
    intervals = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    for start in range(len(intervals) - RHYTHM + 1):
        run = intervals[start : start + RHYTHM]
        if sum(run) >= RHYTHM_LEAST_US:
            found.add("rhythm:" + _short(repr(run).encode()))
    for flow in find_flows(segments)[:200]:
        for stream in (flow.from_initiator, flow.from_responder):
            for record in read_records(stream)[:3] if len(stream) else []:
                if record.content_type == HANDSHAKE and record.payload[:1] in (b"\x01", b"\x02"):
                    found.add("random:" + _short(record.payload[6:38]))
    return sorted(found)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:20]


def _too_common(students: int) -> float:
    """A trace that more than so many have makes no pair. In a small class there is no such thing."""
    return students / 2 if students > 8 else students + 1


def handed_in_by_many(students: Mapping[str, Iterable[str]]) -> list[str]:
    """Return who handed in a recording that over half of the class did: one group, not thousands of pairs."""
    owners: dict[str, set[str]] = defaultdict(set)
    for student, held in students.items():
        for trace in set(held):
            if trace.startswith(("isn:", "random:")):
                owners[trace].add(student)
    groups = [who for who in owners.values() if len(who) > _too_common(len(students))]
    return sorted(set().union(*groups))


def compare(students: Mapping[str, Iterable[str]]) -> list[Pair]:
    """Every pair of students who share a recording, or a part of one; the strongest first.

    Traces that more than half of a larger class has (the course's own captures, handed in by mistake) make no pair:
    ``handed_in_by_many`` tells of these.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    sizes: dict[str, Counter] = {}
    for student, held in students.items():
        held = set(held)
        sizes[student] = Counter(trace.partition(":")[0] for trace in held)
        for trace in held:
            owners[trace].add(student)
    common = _too_common(len(students))
    shared: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for trace, who in owners.items():
        if 1 < len(who) <= common:
            ordered = sorted(who)
            kind = trace.partition(":")[0]
            for place, first in enumerate(ordered):
                for second in ordered[place + 1 :]:
                    shared[first, second][kind] += 1
    pairs = []
    for (first, second), counts in shared.items():
        if any(counts[kind] >= enough for kind, enough in ENOUGH.items()):
            strength = max(
                counts[kind] / max(1, min(sizes[first][kind], sizes[second][kind]))
                for kind, enough in ENOUGH.items()
                if counts[kind] >= enough
            )
            pairs.append(Pair(first, second, dict(counts), strength))
    return sorted(pairs, key=lambda pair: (-pair.strength, pair.first, pair.second))
