"""Read many fixed-size headers at once out of one long run of bytes.

A capture holds a million headers at a million odd places. A Python loop would visit them one by one. numpy
can copy them all in one call if we show it the file as an array of *overlapping* headers: item ``i`` of that
array is the header that begins at byte ``i``, so indexing it with a list of offsets gathers the headers
wanted.

    bytes  | 18 c0 4d df aa 43 ...
    item 0 |[18 c0 4d df]
    item 1 |   [c0 4d df aa] (a view: nothing is copied until it is indexed)
    item 2 |      [4d df aa 43]

Nothing here checks lengths: the caller must know that the header is really there. Offsets are only kept
inside the buffer: a header that would run over its end is filled up with zeros.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]  # one item for each frame, packet or segment


def gather(data: Column, offsets: Column, layout: np.dtype[Any]) -> Column:
    """Return copies of the items of dtype ``layout`` that begin at ``offsets`` (int64) of ``data`` (uint8)."""
    width = layout.itemsize
    if len(data) < width:
        return _gather_near_end(data, offsets, layout)
    last = len(data) - width
    # Opaque items ("V20": twenty bytes) are copied five times as fast as items with fields.
    overlapping = np.ndarray((last + 1,), f"V{width}", data, strides=(1,))
    near_end = offsets > last
    if not near_end.any():
        return overlapping[offsets].view(layout)
    found = overlapping[np.where(near_end, 0, offsets)].view(layout)
    found[near_end] = _gather_near_end(data, offsets[near_end], layout)
    return found


def _gather_near_end(data: Column, offsets: Column, layout: np.dtype[Any]) -> Column:
    width = layout.itemsize
    start = max(0, len(data) - width)
    tail = np.zeros(len(data) - start + width, np.uint8)
    tail[: len(data) - start] = data[start:]
    inside = np.clip(offsets, start, len(data)) - start
    return np.ndarray((len(tail) - width + 1,), layout, tail, strides=(1,))[inside]
