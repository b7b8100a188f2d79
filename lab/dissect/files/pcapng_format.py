"""The pcapng format (draft-ietf-opsawg-pcapng): a chain of blocks.

    type 4 | length 4 | body, padded to 4 bytes | the same length 4

    0x0A0D0D0A  section: byte order, comments, the recorder's name; interfaces count from 0 again in each
    1           interface: link type, snap length, name, what its times are counted in
    6           enhanced packet: interface 4 | time 4 + 4 | captured 4 | original 4 | frame | options
    2, 3        the older packet block, and the simple one without a time
    5           statistics of an interface
    0x0A        secrets to decrypt with
    others      names, journals, private blocks: skipped

Nearly every block is an enhanced packet, and a Python loop over a million of them is slow. So we first ask
numpy for every 32-bit word that equals 6 and whose would-be length leads to the same number again; that is
a guess, since a payload can look like that too. Then the chain is followed block by block as the standard
says, but each stretch in which one guessed block ends where the next begins is taken in one step: the guess
only saves time, never decides.
"""

import struct

import numpy as np

from lab.dissect.files.bytes_view import gather
from lab.dissect.files.capture import LARGEST_FRAME, Capture, CaptureError, Interface

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, STATISTICS, PACKET, SECRETS = 0x0A0D0D0A, 1, 2, 3, 5, 6, 0x0A
TLS_KEY_LOG = 0x544C534B  # "TLSK"
END_OF_OPTIONS, COMMENT = 0, 1

LARGEST_BLOCK = 1 << 24  # bytes; Wireshark's limit as well
MOST_INTERFACES = 65_536
CHUNK = 1 << 14  # packets whose headers are looked at in one go
PACKET_HEADER = 28  # bytes from the start of an enhanced packet block to its frame


def parse(data: np.ndarray, path: str) -> Capture:
    """The capture in DATA (uint8, begins with a section block). Raises CaptureError."""
    return _Reader(data, path).run()


class _Damage(Exception):
    """A block that contradicts itself: one line that says what and where. The frames before it are good."""


class _Reader:
    """The walk down one file. ``order`` is the byte order of the section that we are in."""

    def __init__(self, data: np.ndarray, path: str):
        self.data, self.view, self.path = data, memoryview(data), path
        self.order = "<"
        self.first_interface = 0  # of this section, as an index into all
        self.interfaces: list[Interface] = []
        self.comments: list[str] = []
        self.secrets: list[bytes] = []
        self.frame_comments: dict[int, list[str]] = {}
        self.about: dict[int, str] = {}
        self.guesses: dict[str, _Guess] = {}
        self.pieces: list[tuple] = []  # columns of finished stretches
        self.frames = 0

    def run(self) -> Capture:
        try:
            truncated = self._walk()
        except _Damage as damage:
            if not self.frames:
                raise CaptureError(
                    f"{self.path}: {damage}; the file is damaged, record or copy it again"
                ) from None
            truncated = f"the file is damaged: {damage}; the {self.frames} frames before it are all here"
        return self._capture(truncated)

    def _walk(self) -> str | None:
        """Take one block after the other; return None, or a sentence if the file was cut off."""
        position, size = 0, len(self.data)
        while position < size:
            if position + 12 > size:
                return self._cut(position)
            if self.view[position : position + 4] == SECTION_MAGIC:
                self._set_byte_order(position)
            kind, length = struct.unpack_from(self.order + "II", self.view, position)
            if length < 12 or length % 4 or length > LARGEST_BLOCK:
                raise self._error(position, f"a block that claims a length of {length} bytes")
            if position + length > size:
                if self._goes_on_behind(position):
                    raise self._error(
                        position, f"a block that claims {length} bytes, more than the file has left,"
                    )
                return self._cut(position)
            if kind == PACKET:
                position = self._packets(position)
                continue
            (again,) = struct.unpack_from(self.order + "I", self.view, position + length - 4)
            if again != length:
                raise self._error(
                    position, f"a block whose lengths disagree ({length} before, {again} after)"
                )
            self._block(kind, position, length)
            position += length
        return None

    def _goes_on_behind(self, position: int) -> bool:
        """Whether packet blocks follow each other somewhere behind, which they cannot do in a file that was cut off."""
        guess = self._guess()
        first = int(np.searchsorted(guess.starts, position, "right"))
        starts, lengths = guess.starts[first:], guess.lengths[first:]
        return bool((starts[:-1] + lengths[:-1] == starts[1:]).any())

    def _guess(self) -> "_Guess":
        if self.order not in self.guesses:
            self.guesses[self.order] = _Guess(self.data, self.order)
        return self.guesses[self.order]

    def _cut(self, position: int) -> str:
        return f"the file ends in the middle of a block (byte {position}); the {self.frames} frames before it are all here"

    def _error(self, position: int, what: str) -> "_Damage":
        return _Damage(f"{what} at byte {position}, after frame {self.frames}")

    def _set_byte_order(self, position: int) -> None:
        magic = bytes(self.view[position + 8 : position + 12])
        if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise self._error(position, "a section without a byte-order mark")
        self.order = "<" if magic[0] == 0x4D else ">"

    def _block(self, kind: int, position: int, length: int) -> None:
        body, end = position + 8, position + length - 4
        need = {SECTION: 16, INTERFACE: 8, OLD_PACKET: 20, SIMPLE_PACKET: 4, STATISTICS: 12, SECRETS: 8}.get(
            kind, 0
        )
        if end - body < need:
            raise self._error(position, f"a block of type {kind:#x} too short for its own header")
        if kind == SECTION:
            (major,) = struct.unpack_from(self.order + "H", self.view, body + 4)
            if major != 1:
                raise self._error(position, f"a section of version {major}; only version 1 is known")
            self.first_interface = len(self.interfaces)
            for code, value in self._options(body + 16, end, position):
                if code == COMMENT:
                    self.comments.append(_text(value))
                elif code in (2, 3, 4):
                    self.about.setdefault(code, _text(value))
        elif kind == INTERFACE:
            self._interface(position, body, end)
        elif kind == OLD_PACKET:
            fields = struct.unpack_from(self.order + "HHIIII", self.view, body)
            self._one_packet(
                position, fields[0], fields[2] << 32 | fields[3], fields[4], fields[5], body + 20, end
            )
        elif kind == SIMPLE_PACKET:
            (original,) = struct.unpack_from(self.order + "I", self.view, body)
            self._simple_packet(position, original, body + 4, end)
        elif kind == STATISTICS:
            self._statistics(position, body, end)
        elif kind == SECRETS:
            what, size = struct.unpack_from(self.order + "II", self.view, body)
            if size > end - body - 8:
                raise self._error(position, f"a secrets block that claims {size} bytes")
            if what == TLS_KEY_LOG:
                self.secrets.append(bytes(self.view[body + 8 : body + 8 + size]))

    def _options(self, position: int, end: int, block: int):
        """The (code, value) pairs between POSITION and END; values are memoryviews."""
        while position + 4 <= end:
            code, length = struct.unpack_from(self.order + "HH", self.view, position)
            if code == END_OF_OPTIONS:
                return
            if position + 4 + length > end:
                raise self._error(block, f"an option of {length} bytes that runs out of its block")
            yield code, self.view[position + 4 : position + 4 + length]
            position += 4 + length + (-length % 4)

    def _interface(self, position: int, body: int, end: int) -> None:
        if len(self.interfaces) >= MOST_INTERFACES:
            raise self._error(position, f"more than {MOST_INTERFACES} interfaces")
        link_type, _, snap_length = struct.unpack_from(self.order + "HHI", self.view, body)
        interface = Interface(link_type, snap_length=snap_length)
        for code, value in self._options(body + 8, end, position):
            if code == 2:
                interface.name = _text(value)
            elif code == 3:
                interface.description = _text(value)
            elif code == 9 and len(value) == 1:
                # Top bit clear: a power of ten; set: a power of two.
                power = value[0] & 0x7F
                interface.units_per_second = (2 if value[0] & 0x80 else 10) ** power
                if interface.units_per_second >= 1 << 63:
                    raise self._error(
                        position, f"time stamps counted in units of 2 or 10 to the power of -{power}"
                    )
            elif code == 11 and len(value) > 1:
                interface.filter = _text(value[1:])  # the first byte says "as text" (0) or "as code" (1)
            elif code == 14 and len(value) == 8:
                (interface.offset_s,) = struct.unpack(self.order + "q", value)
        self.interfaces.append(interface)

    def _statistics(self, position: int, body: int, end: int) -> None:
        (number,) = struct.unpack_from(self.order + "I", self.view, body)
        interface = self.interfaces[self._interface_index(position, number)]
        for code, value in self._options(body + 12, end, position):
            if code in (4, 5) and len(value) == 8:
                (count,) = struct.unpack(self.order + "Q", value)
                setattr(interface, "received" if code == 4 else "dropped", count)

    def _interface_index(self, position: int, number: int) -> int:
        if number >= len(self.interfaces) - self.first_interface:
            raise self._error(position, f"a block of interface {number}, which the file never described")
        return self.first_interface + number

    def _simple_packet(self, position: int, original: int, start: int, end: int) -> None:
        limit = self.interfaces[self._interface_index(position, 0)].snap_length or original
        captured = min(original, limit)
        self._one_packet(position, 0, None, captured, original, start, end)

    def _one_packet(self, position, interface, units, captured, original, start, end) -> None:
        """A packet of one of the two rare kinds. UNITS is its time as the file counts, None for none."""
        index = self._interface_index(position, interface)
        if captured > end - start or captured > LARGEST_FRAME:
            raise self._error(position, f"a packet that claims {captured} bytes")
        time_ns = 0 if units is None else int(self._times(np.array([units], np.uint64), index)[0])
        self.pieces.append(
            (
                np.array([start], np.int64),
                np.array([captured], np.uint32),
                np.array([original], np.uint32),
                np.array([time_ns], np.int64),
                np.array([index], np.int32),
            )
        )
        self.frames += 1

    def _packets(self, position: int) -> int:
        """Take the enhanced packet at ``position`` and all that follow it without a break; return where they end."""
        starts, lengths = self._guess().stretch(position)
        if len(starts) == 0:
            raise self._error(
                position, "a packet block whose lengths disagree or that is too short for its header"
            )
        layout = np.dtype(
            [(name, self.order + "u4") for name in ("interface", "high", "low", "captured", "original")]
        )
        known = len(self.interfaces) - self.first_interface
        for begin in range(0, len(starts), CHUNK):
            at, length = starts[begin : begin + CHUNK], lengths[begin : begin + CHUNK]
            headers = gather(self.data, at + 8, layout)
            captured, number = headers["captured"], headers["interface"]
            room = length - 32
            bad = (captured > room) | (captured > LARGEST_FRAME) | (number >= known)
            good = int(np.argmax(bad)) if bad.any() else len(at)
            for row in np.flatnonzero(
                room[:good] - captured[:good] >= 8
            ).tolist():  # options behind the frame
                options = int(at[row]) + PACKET_HEADER + int(captured[row]) + (-int(captured[row]) % 4)
                try:
                    self._packet_comments(options, int(at[row] + length[row]) - 4, self.frames + row + 1)
                except _Damage:
                    self._columns(at[:row], headers[:row])
                    raise
            self._columns(at[:good], headers[:good])
            if good < len(at):
                self._interface_index(int(at[good]), int(number[good]))
                raise self._error(int(at[good]), f"a packet that claims {int(captured[good])} bytes")
        return int(starts[-1] + lengths[-1])

    def _columns(self, at: np.ndarray, headers: np.ndarray) -> None:
        """Note the enhanced packets that begin at ``at``."""
        if len(at) == 0:
            return
        units = headers["high"].astype(np.uint64) << np.uint64(32) | headers["low"]
        index = headers["interface"].astype(np.int32) + np.int32(self.first_interface)
        times = np.zeros(len(at), np.int64)
        if index[0] == index.max() == index.min():
            times = self._times(units, int(index[0]))
        else:
            for one in np.unique(index):
                chosen = index == one
                times[chosen] = self._times(units[chosen], int(one))
        lengths = (headers[name].astype(np.uint32) for name in ("captured", "original"))
        self.pieces.append((at + PACKET_HEADER, *lengths, times, index))
        self.frames += len(at)

    def _packet_comments(self, start: int, end: int, number: int) -> None:
        for code, value in self._options(start, end, start):
            if code == COMMENT:
                self.frame_comments.setdefault(number, []).append(_text(value))

    def _times(self, units: np.ndarray, index: int) -> np.ndarray:
        """Time stamps (uint64, as the file counts) in nanoseconds since 1970. Absurd ones wrap around."""
        interface = self.interfaces[index]
        per_second = interface.units_per_second
        shift = interface.offset_s * 1_000_000_000
        if 1_000_000_000 % per_second == 0:
            nanoseconds = units * np.uint64(1_000_000_000 // per_second)
        else:  # finer than nanoseconds, or a power of two: Python's own whole numbers do not overflow
            exact = (int(unit) * 1_000_000_000 // per_second for unit in units)
            nanoseconds = np.array([value & 0xFFFF_FFFF_FFFF_FFFF for value in exact], np.uint64)
        return (nanoseconds + np.uint64(shift & 0xFFFF_FFFF_FFFF_FFFF)).view(np.int64)

    def _capture(self, truncated: str | None) -> Capture:
        kinds = (np.int64, np.uint32, np.uint32, np.int64, np.int32)
        columns = [
            np.concatenate([piece[i] for piece in self.pieces]) if self.pieces else np.zeros(0, kind)
            for i, kind in enumerate(kinds)
        ]
        return Capture(
            self.path,
            self.data,
            self.interfaces,
            *columns,
            comments=self.comments,
            hardware=self.about.get(2),
            os=self.about.get(3),
            application=self.about.get(4),
            secrets=self.secrets,
            truncated=truncated,
            frame_comments=self.frame_comments,
        )


class _Guess:
    """Every place in a file that could be an enhanced packet block in one byte order."""

    def __init__(self, data: np.ndarray, order: str):
        words = np.frombuffer(data, order + "u4", count=len(data) // 4)
        found = [
            np.flatnonzero(words[start : start + (1 << 22)] == PACKET) + start
            for start in range(0, len(words), 1 << 22)
        ]
        at = np.concatenate(found) if found else np.zeros(0, np.int64)
        at = at[: np.searchsorted(at, len(words) - 7)]  # the shortest block has eight words
        lengths = words[at + 1]
        # Sound: within the limits, a whole number of words, and not over the end of the file.
        ends = at + (lengths >> 2)
        sound = (lengths >= 32) & (lengths & 3 == 0) & (lengths <= LARGEST_BLOCK) & (ends <= len(words))
        if not sound.all():
            at, lengths, ends = at[sound], lengths[sound], ends[sound]
        twice = words[ends - 1] == lengths
        if not twice.all():
            at, lengths = at[twice], lengths[twice]
        self.starts, self.lengths = at << 2, lengths.astype(np.int64)
        # The stretches: item i is the last of its stretch when the block after it is not item i + 1.
        chained = self.starts[:-1] + self.lengths[:-1] == self.starts[1:]
        self.lasts = np.append(np.flatnonzero(~chained), max(0, len(self.starts) - 1))

    def stretch(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and lengths of the unbroken stretch of blocks that begins at POSITION; empty if none
        does.
        """
        first = int(np.searchsorted(self.starts, position))
        if first >= len(self.starts) or self.starts[first] != position:
            return self.starts[:0], self.lengths[:0]
        last = int(self.lasts[np.searchsorted(self.lasts, first)])
        return self.starts[first : last + 1], self.lengths[first : last + 1]


def _text(value) -> str:
    return bytes(value).rstrip(b"\0").decode("utf-8", "replace")
