"""Find recordings that several students handed in, whatever was done to the file.

A recording is full of numbers that the kernel and the clock chose: they are its fingerprint. ``traces`` collects them,

    isn      initial sequence numbers, 32 random bits a side and connection (RFC 9293 section 3.4.1)
    number   (sequence, acknowledgement) pairs of segments with payload: they remain if the SYNs were cut off
    random   the randoms of TLS hellos, 28 or 32 bytes (RFC 8446 section 4.1.2)
    time     the microsecond of each frame
    rhythm   the intervals between several frames in a row: they remain if all times were shifted

and ``find_pairs`` counts what two students share. Names, formats, addresses, ports and checksums are ignored. The
thresholds are far above chance. The instructor decides: two students who worked at one screen share a
recording too.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import SYN
from lab.dissect.tls.records import HANDSHAKE, read_records

# By kind: how many shared traces make a pair.
ENOUGH = {"isn": 2, "number": 4, "random": 1, "time": 6, "rhythm": 4}
KINDS = {
    "isn": "initial sequence numbers",
    "number": "pairs of sequence and acknowledgement numbers",
    "random": "TLS randoms",
    "time": "times to the microsecond",
    "rhythm": "runs of intervals",
}
RHYTHM = 6  # intervals in a row
RHYTHM_LEAST_US = 2_000  # in all: shorter runs show a program's speed, alike on every machine
MOST_FRAMES = 20_000  # read of one recording
HELLOS = (b"\x01", b"\x02")  # handshake types: client hello, server hello


@dataclass(frozen=True)
class Pair:
    """Two students whose recordings share more than chance allows. ``shared`` counts traces by kind."""

    first: str
    second: str
    shared: dict[str, int]
    strength: float  # of the smaller recording's traces of the strongest kind, how many are shared: 0 to 1

    @property
    def evidence(self) -> str:
        """What they share, for people."""
        enough = {kind: count for kind, count in self.shared.items() if count >= ENOUGH[kind]}
        evidence = ", ".join(f"{count} {KINDS[kind]}" for kind, count in enough.items())
        return f"{evidence} in common ({self.strength:.0%} of the smaller recording)"


def traces(flows: Sequence[Flow]) -> list[str]:
    """Return the traces of one recording's connections, each as "kind:digest"."""
    if not flows:
        return []
    segments, found, times = flows[0].segments, set(), []
    for row in range(min(len(segments), MOST_FRAMES)):
        flags, seq, ack = int(segments.flags[row]), int(segments.seq[row]), int(segments.ack[row])
        if flags & SYN:
            found.add(f"isn:{seq}")
        elif int(segments.payload_captured[row]):
            found.add(f"number:{seq}.{ack}")
        times.append(int(segments.time_ns[row]) // 1000)
        found.add(f"time:{times[-1]}")
    intervals = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    for start in range(len(intervals) - RHYTHM + 1):
        run = intervals[start : start + RHYTHM]
        if sum(run) >= RHYTHM_LEAST_US:
            found.add("rhythm:" + _short(repr(run).encode()))
    for flow in flows[:200]:
        for stream in (flow.from_initiator, flow.from_responder):
            for record in read_records(stream)[:3] if len(stream) else []:
                if record.content_type == HANDSHAKE and record.payload[:1] in HELLOS:
                    found.add("random:" + _short(record.payload[6:38]))
    return sorted(found)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:20]


def _too_common(students: int) -> float:
    """Return how many students may share a trace that still makes a pair; in a small class, all."""
    return students / 2 if students > 8 else students + 1


def _owners(students: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    owners: dict[str, set[str]] = defaultdict(set)
    for student, held in students.items():
        for trace in held:
            owners[trace].add(student)
    return owners


def handed_in_by_many(students: Mapping[str, Iterable[str]]) -> list[str]:
    """Return who handed in a recording that more than half of the class did: one group, not thousands of pairs."""
    common = _too_common(len(students))
    single = [who for trace, who in _owners(students).items() if trace.startswith(("isn:", "random:"))]
    groups = [who for who in single if len(who) > common]
    return sorted(set().union(*groups))


def find_pairs(students: Mapping[str, Iterable[str]]) -> list[Pair]:
    """Return every pair of students who share a recording or a part of one, the strongest first.

    Traces that more than half of a larger class has (the course's own captures, handed in by mistake) make no pair.
    """
    students = {student: set(held) for student, held in students.items()}
    sizes = {student: Counter(map(_kind, held)) for student, held in students.items()}
    shared: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for trace, who in _owners(students).items():
        if 1 < len(who) <= _too_common(len(students)):
            for pair in combinations(sorted(who), 2):
                shared[pair][_kind(trace)] += 1
    pairs = []
    for (first, second), counts in shared.items():
        smaller = {kind: max(1, min(sizes[first][kind], sizes[second][kind])) for kind in ENOUGH}
        shares = [counts[kind] / smaller[kind] for kind, enough in ENOUGH.items() if counts[kind] >= enough]
        if shares:
            pairs.append(Pair(first, second, dict(sorted(counts.items())), max(shares)))
    return sorted(pairs, key=lambda pair: (-pair.strength, pair.first, pair.second))


def _kind(trace: str) -> str:
    return trace.partition(":")[0]
