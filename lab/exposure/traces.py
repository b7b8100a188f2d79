"""Traces: what TLS shows of one connection, record by record, as a file of many.

    capture of many connections --> one trace each: when, how long, from which side --> traces.jsonl.gz

A trace holds neither keys nor bytes of a conversation, and takes about a hundredth of a capture's room. Its file is
gzip'd JSON lines, one trace a line. ``seed``, ``author`` and ``label`` are the truth that a classifier learns from and is
scored against; it sees the other three lists.
"""

import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lab.chat.features.cures import CURES
from lab.dissect.tcp.flows import Flow
from lab.dissect.tls.records import APPLICATION_DATA, read_records

KINDS = ("typing", "topic")
MAX_BYTES = 64 << 20  # of a file, unpacked: a hundred times the one that ships
FAREWELL = 2 + 17  # bytes: the alert close_notify, and what TLS 1.3 adds to it


class TracesError(ValueError):
    """A file that holds no traces; the text names the file and the line."""


@dataclass(frozen=True)
class Trace:
    """The records of application data of one connection, in the order in which they were seen."""

    kind: str  # one of KINDS
    label: str  # the sentence that was typed, or the name of the bot's topic
    author: str  # the simulated typist ("typist 4, jitter 0.2") or bot ("bot 1")
    seed: int
    cure: str  # one of CURES
    times: list[float]  # in seconds since the first record
    sizes: list[int]  # of the records' payloads, in bytes, as sent (encrypted)
    directions: list[int]  # +1 to the observed client, -1 from it

    @property
    def records(self) -> list[tuple[float, int, int]]:
        """Return (time, size, direction) of each record."""
        return list(zip(self.times, self.sizes, self.directions, strict=True))


def write_traces(path: Path | str, traces: Iterable[Trace]) -> None:
    """Write a file of traces, whole or not at all; the same traces make the same bytes. Raises OSError."""
    path = Path(path)
    lines = (json.dumps(asdict(trace), separators=(",", ":")) + "\n" for trace in traces)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    partial.replace(path)


def read_traces(path: Path | str) -> list[Trace]:
    """Return the traces in a file. Raises OSError where it cannot be read, TracesError where it is not valid."""
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
        lines = data.decode().splitlines()
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TracesError(f"{path} is not a file of traces: {error}; record or download it again") from None
    if len(data) > MAX_BYTES:
        raise TracesError(f"{path} is longer than {MAX_BYTES >> 20} MiB: split it")
    return [_trace(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _trace(line: str, where: str) -> Trace:
    """Return the trace in a line. Raises TracesError."""
    try:
        trace = Trace(**json.loads(line))
        mistakes = [name for name, is_right in _checks(trace).items() if not is_right]
    except (ValueError, TypeError, RecursionError) as error:
        names = ", ".join(field.name for field in fields(Trace))
        raise TracesError(f"{where}: not a JSON object with {names}: {error}") from None
    if mistakes:
        raise TracesError(f"{where}: {mistakes[0]}")
    return trace


def _checks(trace: Trace) -> dict[str, bool]:
    """Return what has to hold of a trace, and whether it does."""
    texts = (trace.label, trace.author)
    columns: tuple[list[Any], ...] = (trace.times, trace.sizes, trace.directions)
    return {
        f"kind must be one of {', '.join(KINDS)}": trace.kind in KINDS,
        f"cure must be one of {', '.join(CURES)}": trace.cure in CURES,
        "label and author must be texts": all(isinstance(text, str) for text in texts),
        "seed must be a whole number": type(trace.seed) is int,
        "times, sizes and directions must be lists of one length": (
            all(isinstance(column, list) for column in columns) and len(set(map(len, columns))) == 1
        ),
        "times must be seconds that never decrease, from 0": (
            all(type(time) in (int, float) and 0 <= time < 1e9 for time in trace.times)
            and trace.times == sorted(trace.times)
        ),
        "sizes must be whole numbers of bytes": all(type(size) is int and size >= 0 for size in trace.sizes),
        "directions must be 1 or -1": all(type(one) is int and one in (1, -1) for one in trace.directions),
    }


def trace_of(flow: Flow, *, kind: str, label: str, author: str, seed: int, cure: str) -> Trace:
    """Return what one TLS 1.3 flow showed of a conversation; its initiator is the observed client.

    The handshake is left out: it ends with the client's first record of application data, its Finished. So is the
    farewell (close_notify), which is shorter than any line of the chat. Times are those of a record's first byte, to
    a tenth of a millisecond. Lists are empty where the flow is not TLS.
    """
    sides = ((-1, flow.from_initiator), (1, flow.from_responder))
    records = sorted(
        (record.time_ns, -direction, record.length)
        for direction, stream in sides
        for record in read_records(stream)
        if record.content_type == APPLICATION_DATA
    )
    own = [number for number, (_, is_own, _) in enumerate(records) if is_own == 1]
    talk = [one for one in records[own[0] + 1 :] if one[2] != FAREWELL] if own else []
    times = [round((time_ns - talk[0][0]) / 1e9, 4) for time_ns, _, _ in talk]
    sizes, directions = [size for _, _, size in talk], [-is_own for _, is_own, _ in talk]
    return Trace(kind, label, author, seed, cure, times, sizes, directions)
