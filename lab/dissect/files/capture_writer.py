"""Writing pcapng, one whole block a write, so that a recording that is cut short stays readable.

The file is opened unbuffered: each block goes to the system in a single call. If the recorder is killed
between two packets the file ends at a block's end, and Wireshark opens it without a word of complaint.

A TLS key log goes into a decryption-secrets block *behind* the interface block: that is where Wireshark
reads it, and where ``editcap --discard-all-secrets`` finds it again to take it out."""

import struct
from collections.abc import Iterable
from os import PathLike, fspath
from typing import BinaryIO

from lab.dissect.files.capture import LARGEST_FRAME, CaptureError

_PACKET = struct.Struct("<IIIIIII")
_LENGTH = struct.Struct("<I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo 4


class CaptureWriter:
    """Write a pcapng file with nanosecond times: ``with CaptureWriter(path) as writer: ...``

    PATH_OR_FILE is a path (made or overwritten) or an open binary file, which stays open. The other
    arguments go into the section block: ``comment``, ``hardware``, ``os``, ``application`` (who recorded).
    """

    def __init__(
        self,
        path_or_file: str | PathLike | BinaryIO,
        *,
        comment: str | None = None,
        hardware: str | None = None,
        os: str | None = None,
        application: str | None = None,
    ):
        self._owned = not hasattr(path_or_file, "write")
        self._file = open(fspath(path_or_file), "wb", buffering=0) if self._owned else path_or_file  # noqa: SIM115
        self._interfaces = 0
        options = _options([(1, comment), (2, hardware), (3, os), (4, application)])
        self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)

    def add_interface(
        self,
        name: str | None = None,
        link_type: int = 1,
        description: str | None = None,
        snap_length: int = LARGEST_FRAME,
        filter: str | None = None,
    ) -> int:
        """Describe an interface; gives the number that ``write`` wants."""
        as_text = None if filter is None else b"\0" + filter.encode()
        options = _options([(2, name), (3, description), (9, b"\x09"), (11, as_text)])
        self._block(1, struct.pack("<HHI", link_type, 0, snap_length) + options)
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
        """Add one frame. TIME_NS counts from 1970; ORIGINAL_LENGTH (bytes) is given where FRAME was cut
        short.

        Raises CaptureError for an interface that was not added or a frame over LARGEST_FRAME bytes: ours to
        mend."""
        captured = len(frame)
        if not 0 <= interface < self._interfaces:
            raise CaptureError(
                f"interface {interface} was not added to this capture; call add_interface first"
            )
        if captured > LARGEST_FRAME:
            raise CaptureError(f"a frame of {captured} bytes; a capture file takes {LARGEST_FRAME}")
        tail = _PADDING[captured & 3]
        if comment is not None:
            tail += _options([(1, comment)])
        length = 32 + captured + len(tail)
        if original_length is None:
            original_length = captured
        self._write(
            _PACKET.pack(6, length, interface, time_ns >> 32, time_ns & 0xFFFFFFFF, captured, original_length)
            + frame
            + tail
            + _LENGTH.pack(length)
        )

    def add_secrets(self, key_log: bytes) -> None:
        """Put a TLS key log (the text that ``SSLKEYLOGFILE`` gets) into the file; call it after
        add_interface.
        """
        self._block(0x0A, struct.pack("<II", 0x544C534B, len(key_log)) + key_log + _PADDING[len(key_log) & 3])

    def add_statistics(self, interface: int, time_ns: int, received: int, dropped: int) -> None:
        """Note how many packets INTERFACE saw and how many of them the recorder lost, up to TIME_NS."""
        counts = [(4, struct.pack("<Q", received)), (5, struct.pack("<Q", dropped))]
        self._block(5, struct.pack("<III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF) + _options(counts))

    def flush(self) -> None:
        """Hand on what an open file given to us may still hold back; our own files hold nothing back."""
        if not self._owned and hasattr(self._file, "flush"):
            self._file.flush()

    def close(self) -> None:
        """Finish the file. May be called twice."""
        if self._owned:
            self._file.close()
        else:
            self.flush()

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(self, *_exc) -> None:
        self.close()

    def _block(self, kind: int, body: bytes) -> None:
        length = 12 + len(body)
        self._write(struct.pack("<II", kind, length) + body + struct.pack("<I", length))

    def _write(self, block: bytes) -> None:
        written = self._file.write(block)
        while self._owned and written < len(block):  # the system took a part only (a disk about to be full)
            block = block[written:]
            written = self._file.write(block)


def _options(pairs: Iterable[tuple[int, str | bytes | None]]) -> bytes:
    """The option list of a block: code 2 | length 2 | value padded to 4, ended by code 0; empty for no
    options.
    """
    coded = b""
    for code, value in pairs:
        if value is not None:
            value = value.encode() if isinstance(value, str) else value
            coded += struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3]
    return coded + b"\0\0\0\0" if coded else b""
