"""The classic pcap format: one file header, then records.

    file header   magic 4 | version 2+2 | zone 4 | sigfigs 4 | snap length 4 | link type 4        24 bytes
    record        seconds 4 | fraction 4 | captured length 4 | original length 4 | frame          16 + n bytes

The magic number states both the byte order of the file and whether fractions are micro- or nanoseconds. A
record states only its own length, so finding all of them takes a loop: it reads one length a record and
leaves every other field to numpy.
"""

import struct
from array import array

import numpy as np

from lab.dissect.files.bytes_view import Column, gather
from lab.dissect.files.capture import LARGEST_FRAME, Capture, CaptureError, Interface

# magic as it is in the file: (byte order, nanoseconds per unit of the fraction)
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
FILE_HEADER, RECORD_HEADER = 24, 16


def parse_pcap(data: Column, path: str) -> Capture:
    """Return the capture in ``data`` (uint8, begins with one of MAGICS). Raises CaptureError."""
    order, fraction_ns = MAGICS[data[:4].tobytes()]
    if len(data) < FILE_HEADER:
        raise CaptureError(f"{path}: only {len(data)} bytes of a pcap file header; record again")
    snap_length, link_type = struct.unpack_from(order + "II", data.data, 16)
    offsets, end = _walk(data, order)
    layout = np.dtype([(name, order + "u4") for name in ("seconds", "fraction", "captured", "original")])
    headers = gather(data, offsets - RECORD_HEADER, layout)
    whole, why = _whole_frames(headers, offsets, len(data), end, 1_000_000_000 // fraction_ns)
    if why and not whole and not why.startswith("the file ends"):
        raise CaptureError(f"{path}: {why}; the file is damaged, record or copy it again")
    offsets, headers = offsets[:whole], headers[:whole]
    seconds, fraction = headers["seconds"].astype(np.int64), headers["fraction"].astype(np.int64)
    return Capture(
        path=path,
        data=data,
        # The upper 16 bits say whether frames end with a checksum; the link type is the lower 16.
        interfaces=[Interface(link_type & 0xFFFF, snap_length=snap_length)],
        offset=offsets,
        captured_length=headers["captured"].astype(np.uint32),
        original_length=headers["original"].astype(np.uint32),
        time_ns=seconds * 1_000_000_000 + fraction * fraction_ns,
        interface=np.zeros(len(offsets), np.int32),
        truncated=why and f"{why}; the {whole} frames before it are all here",
    )


def _whole_frames(
    headers: Column, offsets: Column, size: int, end: int, units: int
) -> tuple[int, str | None]:
    """Return how many frames are whole, and None or why there are no more: where the file ends or is damaged.

    A wrong length leads into the middle of some frame, whose bytes are then read as a header. Headers are
    suspected only where the last record does not end with the file. A second has ``units`` fractions.
    """
    captured, original = headers["captured"], headers["original"]
    wrong = captured > LARGEST_FRAME
    if end == size and not wrong.any():
        return len(offsets), None
    wrong |= headers["fraction"] >= units
    if end > size:
        wrong[-1] |= captured[-1] > original[-1]
    if not wrong.any():
        whole = len(offsets) - (end > size)
        at = int(offsets[whole]) - RECORD_HEADER if end > size else end
        return whole, f"the file ends in the middle of frame {whole + 1} (byte {at})"
    whole = int(np.argmax(wrong))
    why = f"frame {whole + 1} (byte {int(offsets[whole]) - RECORD_HEADER})"
    if captured[whole] > LARGEST_FRAME:
        why += f" claims {int(captured[whole])} bytes, more than the {LARGEST_FRAME} a recorder writes"
    elif headers["fraction"][whole] >= units:
        why += " has an impossible time"
    else:
        why += f" claims {int(captured[whole])} bytes of a frame of {int(original[whole])}"
    return whole, why + (f"; this header or the length of frame {whole} is damaged" if whole else "")


def _walk(data: Column, order: str) -> tuple[Column, int]:
    """Return where each frame begins (int64), and where the last one ends: beyond the data if it is cut."""
    buffer, length = data.data, struct.Struct(order + "I").unpack_from
    found, position, last = array("q"), FILE_HEADER, len(data) - RECORD_HEADER
    while position <= last:
        position += RECORD_HEADER
        found.append(position)
        position += length(buffer, position - 8)[0]
    return np.frombuffer(found, np.int64) if found else np.zeros(0, np.int64), position
