"""The classic pcap format: one file header, then records.

    file header   magic 4 | version 2+2 | zone 4 | sigfigs 4 | snap length 4 | link type 4        24 bytes
    record        seconds 4 | fraction 4 | captured length 4 | original length 4 | frame         16 + n bytes

The magic number says both the byte order of the file and whether fractions are micro- or nanoseconds.
Records say nothing about where the next but one begins, so finding them takes a loop: it reads one length a
record and leaves every other field to numpy."""

import struct
from array import array

import numpy as np

from lab.dissect.bytes_view import gather
from lab.dissect.capture import LARGEST_FRAME, Capture, CaptureError, Interface

# magic as it stands in the file: (byte order, nanoseconds per unit of the fraction)
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
FILE_HEADER, RECORD_HEADER = 24, 16


def parse(data: np.ndarray, path: str) -> Capture:
    """The capture in DATA (uint8, begins with one of MAGICS). Raises CaptureError."""
    order, fraction_ns = MAGICS[data[:4].tobytes()]
    if len(data) < FILE_HEADER:
        raise CaptureError(f"{path}: only {len(data)} bytes of a pcap file header; record again")
    snap_length, link_type = struct.unpack_from(order + "II", data, 16)
    offsets, end = _walk(data, order)
    layout = np.dtype([(name, order + "u4") for name in ("seconds", "fraction", "captured", "original")])
    headers = gather(data, offsets - RECORD_HEADER, layout)
    captured = headers["captured"].astype(np.uint32)
    if len(captured) and int(captured.max()) > LARGEST_FRAME:
        worst = int(np.argmax(captured > LARGEST_FRAME))
        raise CaptureError(
            f"{path}: frame {worst + 1} (byte {int(offsets[worst])}) claims {int(captured[worst])} bytes,"
            f" more than the {LARGEST_FRAME} a recorder writes; the file is damaged, record or copy it again"
        )
    truncated = None
    if end != len(data):
        whole = len(offsets) - (end > len(data))
        truncated = (
            f"the file ends in the middle of frame {whole + 1}; the {whole} frames before it are all here"
        )
        offsets, headers, captured = offsets[:whole], headers[:whole], captured[:whole]
    return Capture(
        path=path,
        data=data,
        # The upper 16 bits of the link type tell of a checksum at the end of frames; the type is the lower
        # 16.
        interfaces=[Interface(link_type & 0xFFFF, snap_length=snap_length)],
        offset=offsets,
        captured_length=captured,
        original_length=headers["original"].astype(np.uint32),
        time_ns=headers["seconds"].astype(np.int64) * 1_000_000_000
        + headers["fraction"].astype(np.int64) * fraction_ns,
        interface=np.zeros(len(offsets), np.int32),
        truncated=truncated,
    )


def _walk(data: np.ndarray, order: str) -> tuple[np.ndarray, int]:
    """Where each frame begins (int64), and where the record after the last would: beyond the data if it is
    cut.
    """
    buffer, length = memoryview(data), struct.Struct(order + "I").unpack_from
    found, position, last = array("q"), FILE_HEADER, len(data) - RECORD_HEADER
    while position <= last:
        position += RECORD_HEADER
        found.append(position)
        position += length(buffer, position - 8)[0]
    return np.frombuffer(found, np.int64) if found else np.zeros(0, np.int64), position
