"""What goes over the wire, piece by piece, for the wire view: plain data, no tkinter.

A ``WireLog`` is a connection's tap: it is shown every byte, in both directions, as the network has it. Plaintext
comes in the pieces in which it was sent or read; under TLS those are cut into records (RFC 8446 section 5.1), which
is what can be told apart there:

    0      1      2      3      4      5
    +------+------+------+------+------+-- ...
    | type |   version   |   length    | length bytes, encrypted once the handshake has got that far
    +------+------+------+------+------+-- ...
"""

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

HEADER_BYTES = 5
RECORD_TYPES = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
BYTES_A_LINE = 16
SHOWN_BYTES = 32 * BYTES_A_LINE  # of one piece; the rest is counted
MAX_PIECES = 2_000


@dataclass(frozen=True)
class Piece:
    """``way`` is sent or received; ``kind`` is plaintext, or the type of a TLS record."""

    way: str
    kind: str
    data: bytes
    when: float

    @property
    def encrypted(self) -> bool:
        return self.kind != "plaintext"

    @property
    def title(self) -> str:
        arrow = "-->" if self.way == "sent" else "<--"
        what = f"TLS record, {self.kind}" if self.encrypted else "plaintext"
        clock = time.strftime("%H:%M:%S", time.localtime(self.when))
        return f"{arrow} {self.way} {clock}  {what}, {len(self.data)} bytes"

    def dump(self) -> list[str]:
        """Return offset, hex and text, sixteen bytes a line, as Wireshark shows them."""
        lines = []
        for start in range(0, min(len(self.data), SHOWN_BYTES), BYTES_A_LINE):
            row = self.data[start : start + BYTES_A_LINE]
            text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
            lines.append(f"{start:04x}  {row.hex(' '):<47}  {text}")
        if len(self.data) > SHOWN_BYTES:
            lines.append(f"...   and {len(self.data) - SHOWN_BYTES} more")
        return lines


class WireLog:
    """Call it with a direction and bytes; ``pieces`` grows. Safe for a connection's two threads."""

    def __init__(self, tls: bool):
        self.tls = tls
        self.pieces: deque[Piece] = deque(maxlen=MAX_PIECES)
        self.count = 0  # of all pieces, also of those that are gone
        self._rest = {"sent": b"", "received": b""}  # of TLS: a record that is not whole yet
        self._lock = threading.Lock()

    def __call__(self, way: str, data: bytes) -> None:
        with self._lock:
            if self.tls:
                self._add_records(way, data)
            else:
                self._add(way, "plaintext", data)

    def since(self, number: int) -> tuple[list[Piece], int]:
        """Return the pieces from the ``number``-th on, as far as they are still there, and the number to go on from."""
        with self._lock:
            gone = self.count - len(self.pieces)
            return list(itertools.islice(self.pieces, max(0, number - gone), None)), self.count

    def _add_records(self, way: str, data: bytes) -> None:
        data = self._rest[way] + data
        while len(data) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(data[3:5], "big")
            if data[0] not in RECORD_TYPES:  # the other side does not speak TLS
                self._add(way, "plaintext", data)
                data = b""
            if len(data) < end:
                break
            self._add(way, RECORD_TYPES[data[0]], data[:end])
            data = data[end:]
        self._rest[way] = data

    def _add(self, way: str, kind: str, data: bytes) -> None:
        self.pieces.append(Piece(way, kind, data, time.time()))
        self.count += 1
