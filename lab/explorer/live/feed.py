"""A recording, read while it is being written.

Frames are dissected as they arrive, in batches. What a frame means depends on earlier ones: its relative numbers on the
SYNs of its connection, and whether it is a retransmission on the frames shortly before it. These are kept, so a batch
costs the same after an hour. The fields of a frame are read from the file when they are asked for.
"""

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.dissect import find_flows, read_segments
from lab.dissect.files.capture_file import parse_capture
from lab.dissect.files.pcapng_packets import PACKET
from lab.dissect.tcp.segments import ACK, SYN, Segments
from lab.dissect.text import printable
from lab.explorer.book import Data
from lab.explorer.data import capture_data, list_frames, source_of
from lab.exposure import Intercept, eavesdrop

READ_BYTES = 1 << 16  # of the file at a time: some 500 frames, half a second's work
SYNS_KEPT, FRAMES_KEPT = 64, 200
MOST_FRAMES = 20_000  # whose fields can be asked for
LINES_SHOWN = 60
# Words to search other people's lines for.
SECRET = re.compile(r"\b(password|code|pin|key|secret)\b", re.IGNORECASE)


class Feed:
    """Follows the capture file at ``path``, which must exist. ``lane_of`` returns the lane of an address."""

    def __init__(self, path: Path, lane_of: Callable[[str], str]):
        self.count = 0  # frames read
        self._path, self._lane_of = path, lane_of
        self._header = b""  # the blocks before the first frame
        self._at = 0  # how far the file has been read, up to the end of a block
        self._syns: list[bytes] = []
        self._recent: list[bytes] = []
        # The offset and length of a frame's block.
        self._places: deque[tuple[int, int]] = deque(maxlen=MOST_FRAMES)
        self._start_ns: int | None = None
        # Frames before the connections in force, and where the first frame of these begins.
        self._chapter = (0, 0)
        self._awaits_chapter = True

    def begin_chapter(self) -> None:
        """From the next SYN on, ``known`` is about new connections."""
        self._awaits_chapter = True

    def read(self) -> list[Data]:
        """Return the rows of the frames that were written since the last call, or of the first ``READ_BYTES``."""
        data, new, place = self._bytes(self._at, READ_BYTES), [], 0
        while len(data) - place >= 8:
            length = int.from_bytes(data[place + 4 : place + 8], "little")
            if place + length > len(data):
                break
            block = data[place : place + length]
            if block[0] == PACKET:
                new.append(block)
                self._places.append((self._at + place, length))
            else:
                self._header += block
                self._chapter = 0, self._at + place + length
            place += length
        self._at += place
        return self._dissect(new) if new else []

    def _dissect(self, new: list[bytes]) -> list[Data]:
        kept = self._syns + self._recent
        blocks = kept + new
        segments = read_segments(parse_capture(self._header + b"".join(blocks)))
        opening = set(segments.number[segments.flags & (SYN | ACK) == SYN].tolist())
        answering = set(segments.number[segments.flags & (SYN | ACK) == SYN | ACK].tolist())
        found = self._rows(segments, len(kept))
        if self._awaits_chapter and (first := min((one for one in opening if one > len(kept)), default=0)):
            place = first - len(kept) - 1  # among the new ones
            self._chapter = self.count + place, self._places[place - len(new)][0]
            self._awaits_chapter = False
        self.count += len(new)
        older = range(max(0, len(blocks) - FRAMES_KEPT))
        self._syns = [blocks[i] for i in older if i + 1 in opening | answering][-SYNS_KEPT:]
        self._recent = blocks[-FRAMES_KEPT:]
        return found

    def _rows(self, segments: Segments, kept: int) -> list[Data]:
        """Return the rows of all frames but the first ``kept``."""
        if self._start_ns is None:
            self._start_ns = int(segments.capture.time_ns[0])
        rows = [row for row, _ in list_frames(segments, find_flows(segments), kept + 1, self._start_ns)]
        for number, row in enumerate(rows, self.count + 1):
            row |= {"number": number, "lanes": (self._lane_of(row["from"]), self._lane_of(row["to"]))}
        return rows

    def frame(self, number: int) -> Data | None:
        """Return one frame in the form of ``capture_data``; None if it is unknown or too long ago."""
        place = number - 1 - (self.count - len(self._places))
        if not 0 <= place < len(self._places):
            return None
        capture = parse_capture(self._header + self._bytes(*self._places[place]))
        return capture_data(source_of(self._path, capture), "")

    def known(self) -> Data:
        """Return what an eavesdropper knows of the connections in force. May be called in another thread."""
        before, offset = self._chapter
        intercept = eavesdrop(parse_capture(self._header + self._bytes(offset, self._at - offset)))
        return _knowledge(intercept, before) | {"chapter": before}

    def _bytes(self, offset: int, length: int) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(offset)
            return file.read(length)


def _knowledge(intercept: Intercept, before: int) -> Data:
    """Return an eavesdropper's transcript, its last lines only; ``before`` frames are not in the intercept."""
    names = {endpoint: endpoint.rpartition(":")[0] for _, endpoint, _ in intercept.presence}  # by arrival
    if len(set(names.values())) < len(names):  # several on one host
        names = {endpoint: endpoint for endpoint in names}
    names |= {
        one.endpoint: printable(one.text) for one in intercept.messages if one.kind == "name" and one.text
    }
    said = intercept.said
    lines: list[dict[str, Any]] = [
        {
            "frame": before + one.frame,
            "who": names[one.endpoint],
            "to": [names[endpoint] for endpoint in one.recipients],
            "text": None if one.text is None else printable(one.text),
            "length": one.length,
            "secret": bool(one.text and SECRET.search(one.text)),
        }
        for one in said[-LINES_SHOWN:]
    ]
    return {
        "protocol": intercept.tls_version or "plaintext",
        "names": list(names.values()),
        "padding": intercept.padding,
        "said": len(said),
        "read": len(intercept.lines),
        "lines": lines,
    }
