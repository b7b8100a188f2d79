"""The window that a segment really offers: its 16 bits, shifted left as announced (RFC 7323 section 2).

Each side names a shift in its SYN; both must, or neither scales. The window of a SYN itself is never scaled.
A capture without the handshake does not show the shift: then the window stays as it is on the wire, as in
Wireshark.
"""

import numpy as np

from lab.dissect.files.bytes_view import Column
from lab.dissect.tcp.flow_numbers import ACK, SYN
from lab.dissect.tcp.options import LARGEST_SHIFT

UNKNOWN, UNUSED = -1, -2  # the shift of a direction: nothing seen yet, and "both sides must name one"


def learn_shifts(own: int, other: int, flags: int, announced: int, cut: bool) -> tuple[int, int]:
    """Return the shifts of a segment's sender and receiver as they are after it; ``own``, ``other``: before it."""
    named = min(announced, LARGEST_SHIFT) if announced >= 0 else own
    if flags & SYN and not cut:
        if named == UNKNOWN:
            return UNUSED, UNUSED
        if flags & ACK and other == UNUSED:
            return UNUSED, other
    return named, other


def window_shifts(flow: Column, direction: Column, flags: Column, announced: Column, cut: Column) -> Column:
    """Return the shift of each segment's window (int16; UNKNOWN or UNUSED where nothing is shifted).

    The arguments are columns of segments; ``announced`` is their window-scale option, -1 where absent.
    """
    key = flow.astype(np.int64) * 2 + direction
    state: dict[int, int] = {}
    learnt = [(-1, UNKNOWN)]  # (direction and row as one number, the shift from there on)
    for row in np.flatnonzero((flags & SYN != 0) | (announced >= 0)).tolist():
        ends = int(key[row]), int(key[row]) ^ 1
        own, other = (state.get(one, UNKNOWN) for one in ends)
        after = learn_shifts(own, other, int(flags[row]), int(announced[row]), bool(cut[row]))
        state.update(zip(ends, after, strict=True))
        learnt += [(one << 32 | row, shift) for one, shift in zip(ends, after, strict=True)]
    # The shift of a segment is the last one learnt of its direction in an earlier row.
    places, shifts = np.array(sorted(learnt), np.int64).T
    latest = np.searchsorted(places, key << 32 | np.arange(len(key))) - 1
    is_shifted = (places[latest] >> 32 == key) & (flags & SYN == 0)
    return np.where(is_shifted, shifts[latest], UNKNOWN).astype(np.int16)
