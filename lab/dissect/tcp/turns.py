"""A flow as a dialogue: what each side wrote until the other one wrote something.

A byte counts as written when it and everything before it in its stream has been captured, so that a turn has
its bytes in the order of the stream, in whatever order the segments came.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lab.dissect.tcp.flows import Flow


class Turn(NamedTuple):
    """What one side wrote. At the end of a stream there may be a gap and no frame (0)."""

    way: int  # 0 from the initiator, 1 from the responder
    frame: int  # where it begins
    data: bytes
    missing: int  # bytes that were not captured before it


def flow_turns(flow: Flow) -> Iterator[Turn]:
    """Yield what both sides wrote on the wire; a gap begins a new turn. Linear in segments and bytes."""
    streams = flow.from_initiator, flow.from_responder
    missing = [{gap.offset: gap.length for gap in stream.gaps} for stream in streams]
    arrived = [stream.arrivals() for stream in streams]
    rows, starts, frames = (np.concatenate(column) for column in zip(*arrived, strict=True))
    way = np.repeat([0, 1], [len(offsets) for _, offsets, _ in arrived])
    gap = np.concatenate(
        [np.isin(one[1], np.fromiter(gaps, np.int64)) for one, gaps in zip(arrived, missing, strict=True)]
    )
    order = np.argsort(rows, kind="stable")
    way, starts, gap = way[order], starts[order], gap[order]
    begins = np.flatnonzero(np.concatenate([[True], (way[1:] != way[:-1]) | gap[1:]])[: len(way)])
    ways, starts, frames = way[begins].tolist(), starts[begins].tolist(), frames[order][begins].tolist()
    ends, following = [0] * len(ways), [len(stream) for stream in streams]
    for i in range(len(ways) - 1, -1, -1):
        ends[i], following[ways[i]] = following[ways[i]], starts[i]
    written = [stream.data for stream in streams]
    for one, frame, start, end in zip(ways, frames, starts, ends, strict=True):
        yield Turn(one, frame, written[one][start:end], missing[one].get(start, 0))
    for one, stream in enumerate(streams):
        if lost := missing[one].get(len(stream)):
            yield Turn(one, 0, b"", lost)
