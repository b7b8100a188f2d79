"""Measure delays in a host: when bytes arrived in one stream, and when they left in another.

A server that passes messages on shows in a recording twice: what it receives and what it sends. Recorded at
the server, the time between the two is the time that it kept the message, and no clock but the recorder's is
involved.

The bytes are looked for as they are. What is encrypted, or changed on its way, is not found.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.dissect.tcp.streams import Stream


@dataclass(frozen=True)
class Delay:
    """One run of bytes on its way. What was never seen is None. Times (ns since 1970) are of the last byte."""

    data: bytes
    came_ns: int | None
    went_ns: int | None

    @property
    def wait_s(self) -> float | None:
        """Return how long it was kept, in seconds; None where it never came or never went."""
        if self.came_ns is None or self.went_ns is None:
            return None
        return (self.went_ns - self.came_ns) / 1e9


def delays(source: Stream, sink: Stream, wanted: Iterable[bytes]) -> list[Delay]:
    """Return when each of ``wanted`` came in ``source`` and went in ``sink``, looked for in this order in both.

    Equal runs are distinguished by their order: the second is looked for behind the first.
    """
    found, ends = [], [0, 0]
    for data in wanted:
        seen: list[int | None] = []
        for way, stream in enumerate((source, sink)):
            at = stream.data.find(data, ends[way])
            if at < 0 or not data:
                seen.append(None)
                continue
            ends[way] = at + len(data)
            seen.append(stream.time_at(ends[way] - 1))
        found.append(Delay(data, *seen))
    return found
