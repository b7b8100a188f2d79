"""TCP options (RFC 9293 section 3.1): one header's in order, and those of a whole capture as columns.

    kind 1                        0 ends the list, 1 is padding: these two are a single byte
    kind 1 | length 1 | value     every other; the length counts kind and length too

    2  maximum segment size 2     RFC 9293 section 3.7.1       4  SACK permitted            RFC 2018 section 2
    3  window scale 1             RFC 7323 section 2           5  SACK blocks 4+4, ...      RFC 2018 section 3
    8  timestamps 4+4             RFC 7323 section 3

For columns, all headers are walked at the same time: step k reads the k-th option of every header that has
one, so there are at most forty steps however long the capture is. An option of a wrong length is skipped. An
impossible length (under 2, or over the end) ends the list, since it is not known where the next option would
begin.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lab.dissect.files.bytes_view import Column, gather

END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8
LARGEST_SHIFT = 14  # RFC 7323 section 2.3: larger ones count as 14

_BYTE, _SHORT, _LONG = np.dtype("u1"), np.dtype(">u2"), np.dtype(">u4")
_PAIR = np.dtype([("kind", "u1"), ("length", "u1")])


def walk_options(options: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield kind, offset, length of each option of a header, up to the first one that cannot be right."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind in (END, NOP):
            yield kind, at, 1
            if kind == END:
                return
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            return
        yield kind, at, options[at + 1]
        at += options[at + 1]


def option_text(kind: int, value: bytes, ack_base: int) -> str:
    """Return an option as in Wireshark's Info column; ``ack_base`` makes SACK's edges relative."""
    numbers = [int.from_bytes(value[i : i + 4], "big") for i in range(0, len(value) - 3, 4)]
    if kind == MSS and len(value) == 2:
        return f" MSS={int.from_bytes(value, 'big')}"
    if kind == WINDOW_SCALE and len(value) == 1:
        return f" WS={1 << min(value[0], LARGEST_SHIFT)}"
    if kind == SACK_PERMITTED and not value:
        return " SACK_PERM"
    if kind == TIMESTAMPS and len(value) == 8:
        return f" TSval={numbers[0]} TSecr={numbers[1]}"
    if kind == SACK and len(value) in (8, 16, 24, 32):
        edges = [(number - ack_base) & 0xFFFFFFFF for number in numbers]
        return "".join(f" SLE={edges[i]} SRE={edges[i + 1]}" for i in range(0, len(edges), 2))
    return ""


@dataclass
class OptionColumns:
    """One item a segment; -1 where the option is absent."""

    mss: Column  # int32, bytes
    window_shift: Column  # int16, as on the wire
    sack_permitted: Column  # bool
    sack_count: Column  # uint8, blocks
    sack_left: Column  # uint32 (segments, 4), sequence numbers as on the wire
    sack_right: Column
    timestamp: Column  # int64
    timestamp_echo: Column  # int64


def read_options(data: Column, start: Column, end: Column) -> OptionColumns:
    """Return the options that ``data`` holds from ``start`` to ``end`` (int64, one item a segment)."""
    count = len(start)
    found = OptionColumns(
        mss=np.full(count, -1, np.int32),
        window_shift=np.full(count, -1, np.int16),
        sack_permitted=np.zeros(count, bool),
        sack_count=np.zeros(count, np.uint8),
        sack_left=np.zeros((count, 4), np.uint32),
        sack_right=np.zeros((count, 4), np.uint32),
        timestamp=np.full(count, -1, np.int64),
        timestamp_echo=np.full(count, -1, np.int64),
    )
    rows = np.flatnonzero(start < end)
    at, limit = start[rows], end[rows]
    while len(rows):
        pair = gather(data, at, _PAIR)
        kind = pair["kind"]
        length = np.where(kind == NOP, 1, pair["length"].astype(np.int64))
        sound = (kind != END) & ((kind == NOP) | ((length >= 2) & (at + 2 <= limit))) & (at + length <= limit)
        rows, at, limit, kind, length = (column[sound] for column in (rows, at, limit, kind, length))
        _note(data, found, rows, at, kind, length)
        at = at + length
        more = at < limit
        rows, at, limit = rows[more], at[more], limit[more]
    return found


def _note(data: Column, found: OptionColumns, rows: Column, at: Column, kind: Column, length: Column) -> None:
    chosen = (kind == MSS) & (length == 4)
    found.mss[rows[chosen]] = gather(data, at[chosen] + 2, _SHORT)
    chosen = (kind == WINDOW_SCALE) & (length == 3)
    found.window_shift[rows[chosen]] = gather(data, at[chosen] + 2, _BYTE)
    chosen = (kind == SACK_PERMITTED) & (length == 2)
    found.sack_permitted[rows[chosen]] = True
    chosen = (kind == TIMESTAMPS) & (length == 10)
    found.timestamp[rows[chosen]] = gather(data, at[chosen] + 2, _LONG)
    found.timestamp_echo[rows[chosen]] = gather(data, at[chosen] + 6, _LONG)
    for blocks in range(1, 5):
        chosen = (kind == SACK) & (length == 2 + 8 * blocks)
        if chosen.any():
            found.sack_count[rows[chosen]] = blocks
            for block in range(blocks):
                found.sack_left[rows[chosen], block] = gather(data, at[chosen] + 2 + 8 * block, _LONG)
                found.sack_right[rows[chosen], block] = gather(data, at[chosen] + 6 + 8 * block, _LONG)
