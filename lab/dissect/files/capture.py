"""An opened capture: its frames as columns, its interfaces, and the one error of capture files.

The readers of both formats and the writer share this module; others import these names from ``capture_file``.
"""

from dataclasses import dataclass, field
from mmap import mmap

import numpy as np

from lab.dissect.files.bytes_view import Column

LARGEST_FRAME = 262_144  # bytes; no recorder writes more (libpcap's MAXIMUM_SNAPLEN)


class CaptureError(ValueError):
    """Not a capture, or damaged before its first frame. One line: what is wrong, where, what to do."""


@dataclass
class Interface:
    """One recorded interface, as the file describes it. ``snap_length`` 0 means no limit."""

    link_type: int
    name: str | None = None
    description: str | None = None
    snap_length: int = 0
    units_per_second: int = 1_000_000  # of the time stamps in the file
    offset_s: int = 0  # added to every time stamp
    dropped: int | None = None  # packets that the recorder lost, if it says so (statistics block)


@dataclass(repr=False)
class Capture:
    """A capture as columns: item ``i`` of each array belongs to frame ``i + 1``.

    ``offset`` int64, bytes into the file (after unpacking gzip); ``captured_length`` and ``original_length``
    uint32, bytes; ``time_ns`` int64, nanoseconds since 1970 (0 where the file has no time: simple packet
    blocks); ``interface`` int32, an index into ``interfaces``.
    """

    path: str
    data: Column  # the whole file, uint8
    interfaces: list[Interface]
    offset: Column
    captured_length: Column
    original_length: Column
    time_ns: Column
    interface: Column
    comments: list[str] = field(default_factory=list)  # of sections
    application: str | None = None  # that recorded it
    secrets: list[bytes] = field(default_factory=list)  # TLS key logs (NSS format), in file order
    truncated: str | None = None  # where the file was cut off or is damaged; the frames are those before it
    frame_comments: dict[int, list[str]] = field(default_factory=dict)  # by frame number
    raw: bytes | bytearray | mmap = b""  # the same bytes as ``data``; quicker to slice into short pieces

    def __repr__(self) -> str:
        return f"<Capture {self.path}: {len(self)} frames, {len(self.interfaces)} interfaces>"

    def __len__(self) -> int:
        return len(self.offset)

    def frame(self, number: int) -> memoryview:
        """Return the captured bytes of frame ``number``, from 1, without a copy; IndexError beyond the end."""
        if not 1 <= number <= len(self):
            raise IndexError(f"frame {number} of a capture with {len(self)} frames")
        start = int(self.offset[number - 1])
        return self.data[start : start + int(self.captured_length[number - 1])].data

    def link_type(self, number: int) -> int:
        """Return the link type of frame ``number`` (1 is Ethernet; ``packets.link_layer`` has the names)."""
        return self.interfaces[int(self.interface[number - 1])].link_type

    def link_types(self, frames: Column | slice) -> Column:
        """Return the link types (int32) of the frames at these indices, from 0."""
        table = np.array([interface.link_type for interface in self.interfaces] or [0], np.int32)
        return table[self.interface[frames]]
