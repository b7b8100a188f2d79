"""The pcapng format (draft-ietf-opsawg-pcapng): a chain of blocks.

    type 4 | length 4 | body, padded to 4 bytes | the same length 4

    0x0A0D0D0A  section: byte order, comments, the recorder's name; interfaces count from 0 again in each
    1           interface: link type, snap length, name, the unit of its time stamps
    6           enhanced packet: interface 4 | time 4 + 4 | captured 4 | original 4 | frame | options
    2, 3        the older packet block, and the simple one without a time
    5           statistics of an interface
    0x0A        secrets to decrypt with
    others      names, journals, private blocks: skipped

An option is a code 2 | length 2 | value, padded to 4 bytes; code 0 ends the list. Enhanced packets are taken
many at a time: see ``pcapng_packets``.
"""

import struct
from collections.abc import Iterator
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from lab.dissect.files.bytes_view import Column, gather
from lab.dissect.files.capture import LARGEST_FRAME, Capture, CaptureError, Interface
from lab.dissect.files.pcapng_packets import LARGEST_BLOCK, PACKET, PACKET_FRAME, PACKET_HEADER, PacketBlocks

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, STATISTICS, SECRETS = 0x0A0D0D0A, 1, 2, 3, 5, 0x0A
TLS_KEY_LOG = 0x544C534B  # "TLSK"
END_OF_OPTIONS, COMMENT, APPLICATION = 0, 1, 4

MOST_INTERFACES = 65_536
CHUNK = 1 << 14  # packets whose headers are looked at in one go
COLUMNS = (np.int64, np.uint32, np.uint32, np.int64, np.int32)  # offset, both lengths, time, interface


def parse_pcapng(data: Column, path: str) -> Capture:
    """Return the capture in ``data`` (uint8, begins with a section block). Raises CaptureError."""
    reader = _Reader(data)
    try:
        truncated = reader.walk()
    except _Damage as damage:
        if not reader.frames:
            raise CaptureError(f"{path}: {damage}; the file is damaged, record or copy it again") from None
        truncated = f"the file is damaged: {damage}; the {reader.frames} frames before it are all here"
    offset, captured, original, times, index = map(np.concatenate, zip(*reader.pieces, strict=True))
    capture = Capture(path, data, reader.interfaces, offset, captured, original, times, index)
    capture.comments, capture.frame_comments = reader.comments, reader.frame_comments
    capture.application, capture.secrets, capture.truncated = reader.application, reader.secrets, truncated
    return capture


class _Damage(Exception):
    """A block that contradicts itself: one line that says what and where. The frames before it are good."""


class _Block(NamedTuple):
    """A block's place in the file: its start, and the start and the end of its body."""

    start: int
    body: int
    end: int


class _Reader:
    """The walk down one file. ``order`` is the byte order of the current section."""

    def __init__(self, data: Column) -> None:
        self.data, self.view = data, data.data
        self.order = "<"
        self.first_interface = 0  # of this section, as an index into all
        self.interfaces: list[Interface] = []
        self.comments: list[str] = []
        self.secrets: list[bytes] = []
        self.frame_comments: dict[int, list[str]] = {}
        self.application: str | None = None
        self.guess = cache(partial(PacketBlocks, data))  # of a byte order
        self.pieces: list[tuple[Column, ...]]  # columns of finished stretches
        self.pieces = [tuple(np.zeros(0, kind) for kind in COLUMNS)]
        self.frames = 0

    def walk(self) -> str | None:
        """Take one block after the other; return None, or a sentence if the file was cut off."""
        position, size = 0, len(self.data)
        while position < size:
            if position + 12 > size:
                return self._cut(position)
            if self.view[position : position + 4] == SECTION_MAGIC:
                self._set_byte_order(position)
            kind, length = self._unpack("II", position)
            if length < 12 or length % 4 or length > LARGEST_BLOCK:
                raise self._damage(position, f"a block that claims a length of {length} bytes")
            if position + length > size:
                if self.guess(self.order).follow_each_other_behind(position):
                    what = f"a block that claims {length} bytes, more than the file has left,"
                    raise self._damage(position, what)
                return self._cut(position)
            if kind == PACKET:
                position = self._packets(position)
                continue
            (again,) = self._unpack("I", position + length - 4)
            if again != length:
                what = f"a block whose lengths disagree ({length} before, {again} after)"
                raise self._damage(position, what)
            self._read(kind, _Block(position, position + 8, position + length - 4))
            position += length
        return None

    def _unpack(self, layout: str, position: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + layout, self.view, position)

    def _cut(self, position: int) -> str:
        where = f"the file ends in the middle of a block (byte {position})"
        return f"{where}; the {self.frames} frames before it are all here"

    def _damage(self, position: int, what: str) -> _Damage:
        return _Damage(f"{what} at byte {position}, after frame {self.frames}")

    def _set_byte_order(self, position: int) -> None:
        magic = bytes(self.view[position + 8 : position + 12])
        if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise self._damage(position, "a section without a byte-order mark")
        self.order = "<" if magic[0] == 0x4D else ">"

    def _read(self, kind: int, block: _Block) -> None:
        """Read a block that is not an enhanced packet."""
        readers = {
            SECTION: (16, self._section),
            INTERFACE: (8, self._interface),
            OLD_PACKET: (20, self._old_packet),
            SIMPLE_PACKET: (4, self._simple_packet),
            STATISTICS: (12, self._statistics),
            SECRETS: (8, self._secrets),
        }
        if kind in readers:
            needed, read = readers[kind]
            if block.end - block.body < needed:
                raise self._damage(block.start, f"a block of type {kind:#x} too short for its own header")
            read(block)

    def _options(self, block: _Block, header: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the (code, value) pairs behind the first ``header`` bytes of the body."""
        position = block.body + header
        while position + 4 <= block.end:
            code, length = self._unpack("HH", position)
            if code == END_OF_OPTIONS:
                return
            if position + 4 + length > block.end:
                raise self._damage(block.start, f"an option of {length} bytes that runs out of its block")
            yield code, self.view[position + 4 : position + 4 + length]
            position += 4 + length + (-length % 4)

    def _section(self, block: _Block) -> None:
        (major,) = self._unpack("H", block.body + 4)
        if major != 1:
            raise self._damage(block.start, f"a section of version {major}; only version 1 is known")
        self.first_interface = len(self.interfaces)
        for code, value in self._options(block, 16):
            if code == COMMENT:
                self.comments.append(_text(value))
            elif code == APPLICATION:
                self.application = self.application or _text(value)

    def _interface(self, block: _Block) -> None:
        if len(self.interfaces) >= MOST_INTERFACES:
            raise self._damage(block.start, f"more than {MOST_INTERFACES} interfaces")
        link_type, _, snap_length = self._unpack("HHI", block.body)
        interface = Interface(link_type, snap_length=snap_length)
        for code, value in self._options(block, 8):
            if code == 2:
                interface.name = _text(value)
            elif code == 3:
                interface.description = _text(value)
            elif code == 9 and len(value) == 1:
                power = value[0] & 0x7F  # top bit clear: a power of ten; set: a power of two
                interface.units_per_second = (2 if value[0] & 0x80 else 10) ** power
                if interface.units_per_second >= 1 << 63:
                    what = f"time stamps counted in units of 2 or 10 to the power of -{power}"
                    raise self._damage(block.start, what)
            elif code == 14 and len(value) == 8:
                (interface.offset_s,) = struct.unpack(self.order + "q", value)
        self.interfaces.append(interface)

    def _old_packet(self, block: _Block) -> None:
        number, _, high, low, captured, original = self._unpack("HHIIII", block.body)
        index = self._interface_index(block.start, number)
        (time_ns,) = self._times(np.array([high << 32 | low], np.uint64), index)
        self._one_packet(block, block.body + 20, captured, original, time_ns, index)

    def _simple_packet(self, block: _Block) -> None:
        (original,) = self._unpack("I", block.body)
        index = self._interface_index(block.start, 0)
        captured = min(original, self.interfaces[index].snap_length or original)
        self._one_packet(block, block.body + 4, captured, original, 0, index)

    def _one_packet(self, block: _Block, start: int, captured: int, *others: int) -> None:
        if captured > block.end - start or captured > LARGEST_FRAME:
            raise self._damage(block.start, f"a packet that claims {captured} bytes")
        values = zip((start, captured, *others), COLUMNS, strict=True)
        self.pieces.append(tuple(np.array([value], kind) for value, kind in values))
        self.frames += 1

    def _statistics(self, block: _Block) -> None:
        interface = self.interfaces[self._interface_index(block.start, *self._unpack("I", block.body))]
        for code, value in self._options(block, 12):
            if code == 5 and len(value) == 8:
                (interface.dropped,) = struct.unpack(self.order + "Q", value)

    def _secrets(self, block: _Block) -> None:
        kind, size = self._unpack("II", block.body)
        if size > block.end - block.body - 8:
            raise self._damage(block.start, f"a secrets block that claims {size} bytes")
        if kind == TLS_KEY_LOG:
            self.secrets.append(bytes(self.view[block.body + 8 : block.body + 8 + size]))

    def _interface_index(self, position: int, number: int) -> int:
        if number >= len(self.interfaces) - self.first_interface:
            raise self._damage(position, f"a block of interface {number}, which the file never described")
        return self.first_interface + number

    def _packets(self, position: int) -> int:
        """Take the enhanced packet at ``position`` and all that follow directly; return where they end."""
        starts, lengths = self.guess(self.order).stretch(position)
        if len(starts) == 0:
            what = "a packet block whose lengths disagree or that is too short for its header"
            raise self._damage(position, what)
        names = ("interface", "high", "low", "captured", "original")
        layout = np.dtype([(name, self.order + "u4") for name in names])
        known = len(self.interfaces) - self.first_interface
        for begin in range(0, len(starts), CHUNK):
            at, length = starts[begin : begin + CHUNK], lengths[begin : begin + CHUNK]
            headers = gather(self.data, at + 8, layout)
            captured, number = headers["captured"], headers["interface"]
            room = length - PACKET_FRAME
            bad = (captured > room) | (captured > LARGEST_FRAME) | (number >= known)
            good = int(np.argmax(bad)) if bad.any() else len(at)
            with_options = np.flatnonzero(room[:good] - captured[:good] >= 8)
            for row in with_options.tolist():
                options = int(at[row]) + PACKET_HEADER + int(captured[row]) + (-int(captured[row]) % 4)
                block = _Block(options, options, int(at[row] + length[row]) - 4)
                try:
                    comments = [_text(value) for code, value in self._options(block, 0) if code == COMMENT]
                except _Damage:
                    self._add_columns(at[:row], headers[:row])
                    raise
                if comments:
                    self.frame_comments[self.frames + row + 1] = comments
            self._add_columns(at[:good], headers[:good])
            if good < len(at):
                self._interface_index(int(at[good]), int(number[good]))
                raise self._damage(int(at[good]), f"a packet that claims {int(captured[good])} bytes")
        return int(starts[-1] + lengths[-1])

    def _add_columns(self, at: Column, headers: Column) -> None:
        """Note the enhanced packets that begin at ``at``."""
        units = headers["high"].astype(np.uint64) << np.uint64(32) | headers["low"]
        index = headers["interface"].astype(np.int32) + np.int32(self.first_interface)
        if len(self.interfaces) == 1:
            times = self._times(units, 0)
        else:
            times = np.zeros(len(at), np.int64)
            for one in np.unique(index).tolist():
                chosen = index == one
                times[chosen] = self._times(units[chosen], one)
        lengths = (headers[name].astype(np.uint32) for name in ("captured", "original"))
        self.pieces.append((at + PACKET_HEADER, *lengths, times, index))
        self.frames += len(at)

    def _times(self, units: Column, index: int) -> Column:
        """Return time stamps (uint64, as in the file) in nanoseconds since 1970. Absurd ones wrap around."""
        per_second = self.interfaces[index].units_per_second
        shift = self.interfaces[index].offset_s * 1_000_000_000
        if 1_000_000_000 % per_second == 0:
            nanoseconds = units * np.uint64(1_000_000_000 // per_second)
        else:  # finer than nanoseconds, or a power of two: Python's own integers do not overflow
            exact = (int(unit) * 1_000_000_000 // per_second for unit in units)
            nanoseconds = np.array([value & 0xFFFF_FFFF_FFFF_FFFF for value in exact], np.uint64)
        return (nanoseconds + np.uint64(shift & 0xFFFF_FFFF_FFFF_FFFF)).view(np.int64)


def _text(value: memoryview) -> str:
    return bytes(value).rstrip(b"\0").decode("utf-8", "replace")
