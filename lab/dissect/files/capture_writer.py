"""Write pcapng, one whole block at a time, so that a recording that is cut short stays readable.

The file is opened unbuffered: each block goes to the system in a single call. If the recorder is killed
between two packets, the file ends at a block's end, and Wireshark opens it without complaint.

A TLS key log goes into a decryption-secrets block *behind* the interface block: there Wireshark reads it, and
``editcap --discard-all-secrets`` finds it again to remove it.
"""

import struct
from collections.abc import Iterable
from io import FileIO
from os import PathLike
from typing import BinaryIO

from lab.dissect.files.capture import LARGEST_FRAME, CaptureError
from lab.dissect.files.pcapng_format import APPLICATION, COMMENT, INTERFACE, SECRETS, SECTION, TLS_KEY_LOG
from lab.dissect.files.pcapng_packets import PACKET

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo 4


class CaptureWriter:
    """Write a pcapng file with nanosecond times: ``with CaptureWriter(path) as writer: ...``

    ``path_or_file`` is a path (made or overwritten) or an open binary file, which stays open. The other
    arguments go into the section block; ``application`` is the recording program.
    """

    def __init__(
        self,
        path_or_file: str | PathLike[str] | BinaryIO,
        *,
        comment: str | None = None,
        application: str | None = None,
    ) -> None:
        self._file: BinaryIO | FileIO
        self._owned = isinstance(path_or_file, (str, PathLike))
        if isinstance(path_or_file, (str, PathLike)):
            self._file = open(path_or_file, "wb", buffering=0)  # noqa: SIM115
        else:
            self._file = path_or_file
        self._interfaces = 0
        options = _options([(COMMENT, comment), (APPLICATION, application)])
        self._block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)

    def add_interface(
        self,
        name: str | None = None,
        link_type: int = 1,
        description: str | None = None,
        snap_length: int = LARGEST_FRAME,
        filter: str | None = None,
    ) -> int:
        """Describe an interface; return the number that ``write`` wants."""
        as_text = None if filter is None else b"\0" + filter.encode()
        options = _options([(2, name), (3, description), (9, b"\x09"), (11, as_text)])
        self._block(INTERFACE, struct.pack("<HHI", link_type, 0, snap_length) + options)
        self._interfaces += 1
        return self._interfaces - 1

    def write(
        self,
        frame: bytes,
        time_ns: int,
        interface: int = 0,
        original_length: int | None = None,
        comment: str | None = None,
    ) -> None:
        """Add one frame. ``time_ns`` counts from 1970; ``original_length`` is for a frame that was cut short.

        Raises CaptureError for an interface that was not added or a frame over LARGEST_FRAME bytes.
        """
        captured = len(frame)
        if not 0 <= interface < self._interfaces:
            what = f"interface {interface} was not added to this capture"
            raise CaptureError(f"{what}; call add_interface first")
        if captured > LARGEST_FRAME:
            raise CaptureError(f"a frame of {captured} bytes; a capture file takes {LARGEST_FRAME}")
        original = captured if original_length is None else original_length
        head = struct.pack("<IIIII", interface, time_ns >> 32, time_ns & 0xFFFFFFFF, captured, original)
        tail = _PADDING[captured & 3] + (_options([(COMMENT, comment)]) if comment else b"")
        self._block(PACKET, head + frame + tail)

    def add_secrets(self, key_log: bytes) -> None:
        """Put a TLS key log (what ``SSLKEYLOGFILE`` holds) into the file; call it after add_interface."""
        head = struct.pack("<II", TLS_KEY_LOG, len(key_log))
        self._block(SECRETS, head + key_log + _PADDING[len(key_log) & 3])

    def flush(self) -> None:
        """Flush a file that the caller opened; a file of our own is unbuffered."""
        self._file.flush()

    def close(self) -> None:
        """Finish the file. May be called twice."""
        if self._owned:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _block(self, kind: int, body: bytes) -> None:
        length = 12 + len(body)
        block = struct.pack("<II", kind, length) + body + struct.pack("<I", length)
        while block:  # the system may take only a part (a disk about to be full)
            block = block[self._file.write(block) :]


def _options(pairs: Iterable[tuple[int, str | bytes | None]]) -> bytes:
    """Return the option list of a block (see ``pcapng_format``); empty for no options."""
    coded = b""
    for code, value in pairs:
        if value is not None:
            value = value.encode() if isinstance(value, str) else value
            coded += struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3]
    return coded + b"\0\0\0\0" if coded else b""
