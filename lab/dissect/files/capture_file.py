"""Capture files: pcap and pcapng, read as columns; pcapng written a whole block at a time.

A capture file is a list of records. Each has a time, the number of bytes that were on the wire
(``original_length``) and of those that were kept (``captured_length``, less where a snap length cut the
frame), then the bytes themselves.

    pcap    | file header | record header, frame | record header, frame | ...
    pcapng  | section | interface | packet | packet | secrets | ...
              each block: type, length, body, length again

``read_capture`` does not copy frames: it notes where each begins and keeps the rest as numpy columns, one
item a frame. Times become nanoseconds since 1970, whatever the file counts in. A file that ends in the middle
of a record (the recorder was killed, the disk was full) or that holds a wrong length keeps every frame before
that place, and ``truncated`` says which frame and byte it is. A file without a frame before the damage is
refused with ``CaptureError``.

Not supported: the modified pcap of old Linux kernels, and compression other than gzip.
"""

import mmap
import zlib
from os import PathLike, fspath

import numpy as np

from lab.dissect.files import pcap_format, pcapng_format
from lab.dissect.files.capture import Capture, CaptureError
from lab.dissect.files.capture_writer import CaptureWriter

__all__ = ["Capture", "CaptureError", "CaptureWriter", "parse_capture", "read_capture"]

LARGEST_UNPACKED = 1 << 30  # bytes a gzip file may grow to in memory
SMALL_FILE = 1 << 24  # bytes; up to here a file is read, above it is mapped

GZIP_MAGIC = b"\x1f\x8b"


def read_capture(path: str | PathLike[str]) -> Capture:
    """Open the capture file ``path`` (pcap or pcapng, either byte order, plain or gzip).

    Raises CaptureError for bytes that are not a capture or damaged before the first frame, and OSError.
    """
    name = fspath(path)
    with open(name, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        data = file.read() if size <= SMALL_FILE else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return parse_capture(data, name)


def read_frames(path: str | PathLike[str]) -> Capture:
    """Open a capture file as ``read_capture`` does, but refuse one that was cut off before its first frame."""
    capture = read_capture(path)
    if capture.truncated and not len(capture):
        raise CaptureError(f"{fspath(path)}: no whole frame is left in it; record or copy it again")
    return capture


def parse_capture(data: bytes | bytearray | mmap.mmap, path: str = "capture") -> Capture:
    """Return the capture in the bytes ``data``; ``path`` is only quoted in errors. Raises CaptureError."""
    cut = None
    if data[:2] == GZIP_MAGIC:
        data, cut = _unpack(data, path)
    if len(data) == 0:
        raise CaptureError(f"{path}: the file is empty; record again")
    buffer = np.frombuffer(data, np.uint8)
    magic = bytes(data[:4])
    if magic == pcapng_format.SECTION_MAGIC:
        capture = pcapng_format.parse_pcapng(buffer, path)
    elif magic in pcap_format.MAGICS:
        capture = pcap_format.parse_pcap(buffer, path)
    else:
        begins = magic.hex(" ")
        raise CaptureError(f"{path}: not a capture file (begins with {begins}); expected pcap or pcapng")
    capture.raw = data
    capture.truncated = capture.truncated or cut
    return capture


def _unpack(data: bytes | bytearray | mmap.mmap, path: str) -> tuple[bytearray, str | None]:
    """Unpack gzip members, up to LARGEST_UNPACKED bytes; return them and why there are no more."""
    unpacked, position = bytearray(), 0
    view = memoryview(data)
    while position < len(view) and (position == 0 or view[position : position + 2] == GZIP_MAGIC):
        unpacker = zlib.decompressobj(wbits=31)
        piece = b""
        while not unpacker.eof and (position < len(view) or piece):
            packed = view[position : position + (1 << 16)]
            try:
                piece = unpacker.decompress(packed, 1 << 24)
            except zlib.error as error:
                if not unpacked:
                    what = f"damaged gzip file ({error}); copy or download it again"
                    raise CaptureError(f"{path}: {what}") from None
                return unpacked, "the gzip file is damaged; the frames before the damage are all here"
            unpacked += piece
            if len(unpacked) > LARGEST_UNPACKED:
                limit = f"{LARGEST_UNPACKED >> 20} MiB"
                raise CaptureError(f"{path}: unpacks to more than {limit}; use gunzip and open that")
            position += len(packed) - len(unpacker.unconsumed_tail) - len(unpacker.unused_data)
        if not unpacker.eof:
            return unpacked, "the gzip file ends too early; the frames before its end are all here"
    return unpacked, None
