"""A flow as a dialogue: what each side wrote until the other one wrote something.

A byte counts as written when it and everything before it in its stream has been captured, so that a turn has
its bytes in the order of the stream, in whatever order the segments came.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.streams import StreamPiece


class Turn(NamedTuple):
    """Bytes that one side wrote. At the end of a stream there may be a gap and no frame (0)."""

    way: int  # 0 from the initiator, 1 from the responder
    frame: int  # where it begins
    data: bytes
    missing: int  # bytes that were not captured before it


def flow_turns(flow: Flow) -> Iterator[Turn]:
    """Yield what both sides wrote on the wire; a gap begins a new turn. Linear in segments and bytes."""
    streams = flow.from_initiator, flow.from_responder
    missing = [{gap.offset: gap.length for gap in stream.gaps} for stream in streams]
    # With the row with which a piece and all before it had arrived.
    arrived: list[tuple[int, int, StreamPiece]] = []
    for way, stream in enumerate(streams):
        row = 0
        for piece in stream.pieces:
            row = max(row, piece.row)
            arrived.append((row, way, piece))
    turns: list[tuple[int, int, list[bytes], int]] = []
    for _, way, piece in sorted(arrived, key=lambda item: item[0]):
        lost = missing[way].get(piece.offset, 0)
        if not turns or turns[-1][0] != way or lost:
            turns.append((way, piece.frame_number, [], lost))
        turns[-1][2].append(streams[way].data[piece.offset : piece.offset + piece.length])
    for way, frame, written, lost in turns:
        yield Turn(way, frame, b"".join(written), lost)
    for way, stream in enumerate(streams):
        if at_end := missing[way].get(len(stream)):
            yield Turn(way, 0, b"", at_end)
