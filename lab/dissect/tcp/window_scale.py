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
        if announced[row] >= 0:
            state[own] = min(int(announced[row]), LARGEST_SHIFT)
        if flags[row] & SYN and not cut[row]:
            if state.get(own, UNKNOWN) == UNKNOWN:
                state[own] = state[other] = UNUSED
            elif flags[row] & ACK and before[1] == UNUSED:
                state[own] = UNUSED
        for one, old in zip((own, other), before, strict=True):
            if state.get(one, UNKNOWN) != old:
                keys.append(one)
                rows.append(row)
                shifts.append(state[one])
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
