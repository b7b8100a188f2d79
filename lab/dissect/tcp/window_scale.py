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
    keys, rows, shifts = [], [], []
    for row in np.flatnonzero((flags & SYN != 0) | (announced >= 0)).tolist():
        own, other = int(key[row]), int(key[row]) ^ 1
        before = state.get(own, UNKNOWN), state.get(other, UNKNOWN)
        after = learn_shifts(*before, int(flags[row]), int(announced[row]), bool(cut[row]))
        for one, old, new in zip((own, other), before, after, strict=True):
            if new != old:
                state[one] = new
                keys.append(one)
                rows.append(row)
                shifts.append(new)
    # The shift of a segment is the last one set for its direction in an earlier row.
    place = np.array(keys, np.int64) << 32 | np.array(rows, np.int64)
    order = np.argsort(place)
    place, shift_at = place[order], np.array(shifts, np.int16)[order]
    asked = key << 32 | np.arange(len(key))
    latest = np.searchsorted(place, asked) - 1
    valid = latest >= 0
    valid[valid] = place[latest[valid]] >> 32 == key[valid]
    result = np.full(len(key), UNKNOWN, np.int16)
    result[valid] = shift_at[latest[valid]]
    result[flags & SYN != 0] = UNKNOWN
    return result
