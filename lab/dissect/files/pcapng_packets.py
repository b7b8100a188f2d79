"""Find the enhanced packet blocks of a pcapng file without a loop.

Nearly every block is an enhanced packet, and a Python loop over a million of them is slow. So we first ask
numpy for every 32-bit word that equals 6 (the block's type) and whose would-be length leads to the same
number again. That is a guess: a payload can look like that too. ``pcapng_format`` then follows the chain
block by block as the standard says, but takes each stretch in which one guessed block ends where the next
begins in one step. The guess saves time and never decides.
"""

import numpy as np

from lab.dissect.files.bytes_view import Column

PACKET = 6
LARGEST_BLOCK = 1 << 24  # bytes; Wireshark's limit as well
PACKET_HEADER = 28  # bytes from the start of an enhanced packet block to its frame
PACKET_FRAME = 32  # bytes of the block beside the frame


class PacketBlocks:
    """Every place in ``data`` that could be an enhanced packet block in one byte order ("<" or ">")."""

    def __init__(self, data: Column, order: str) -> None:
        words = np.frombuffer(data, order + "u4", count=len(data) // 4)
        pieces = range(0, len(words), 1 << 22)
        found = [np.flatnonzero(words[start : start + (1 << 22)] == PACKET) + start for start in pieces]
        at = np.concatenate(found) if found else np.zeros(0, np.int64)
        at = at[: np.searchsorted(at, len(words) - 7)]  # the shortest block has eight words
        lengths = words[at + 1]
        # Sound: within the limits, a whole number of words, and not over the end of the file.
        ends = at + (lengths >> 2)
        sound = (lengths >= PACKET_FRAME) & (lengths <= LARGEST_BLOCK)
        sound &= (lengths & 3 == 0) & (ends <= len(words))
        if not sound.all():
            at, lengths, ends = at[sound], lengths[sound], ends[sound]
        twice = words[ends - 1] == lengths
        if not twice.all():
            at, lengths = at[twice], lengths[twice]
        self.starts, self.lengths = at << 2, lengths.astype(np.int64)
        # Item i is the last of its stretch when the block after it is not item i + 1.
        self._chained = self.starts[:-1] + self.lengths[:-1] == self.starts[1:]
        self._lasts = np.append(np.flatnonzero(~self._chained), max(0, len(self.starts) - 1))

    def stretch(self, position: int) -> tuple[Column, Column]:
        """Return starts and lengths of the unbroken stretch of blocks at ``position``; empty if there is none."""
        first = int(np.searchsorted(self.starts, position))
        if first >= len(self.starts) or self.starts[first] != position:
            return self.starts[:0], self.lengths[:0]
        last = int(self._lasts[np.searchsorted(self._lasts, first)])
        return self.starts[first : last + 1], self.lengths[first : last + 1]

    def follow_each_other_behind(self, position: int) -> bool:
        """Return whether blocks follow each other behind ``position``, as they cannot in a file cut off there."""
        return bool(self._chained[int(np.searchsorted(self.starts, position, "right")) :].any())
