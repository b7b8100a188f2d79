"""Recording: every frame of one interface that passes a filter, written to a pcapng file as it comes.

Theory of operation. libpcap (by way of the package cypcap) hands each frame to a thread, which writes it as a whole
block at once: whatever ends the program, the file stays readable up to its last frame. The context is entered when the
kernel records. ``stop`` must neither lose frames that are still on their way nor guess how long they take: on the
loopback it sends itself a datagram as an end mark, which arrives behind everything else and is not written.

The filter keeps to the lab's TCP port (or ports), so that nothing of the machine's other traffic is ever in the file. Times are
libpcap's, in microseconds. Frames that the kernel had to drop make ``stop`` raise: such a recording would lie.
"""

import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.dissect.files.capture_file import CaptureWriter

# Bytes kept of a frame: the largest that a loopback carries. In immediate mode each of the ring's slots is this big.
SNAP_LENGTH = 65_700
BUFFER_BYTES = 64 << 20  # about 1000 slots, so that a burst finds room
END_MARK_S = 5  # how long the end mark may take
HOW_TO_RECORD = {
    "linux": "allow user namespaces (python3 lab doctor names the setting), or run this one command with sudo",
    "darwin": "install Wireshark with its ChmodBPF package, which lets its users record, and log in again",
    "win32": "install Npcap from npcap.com with loopback support, and without 'administrators only'",
}


class RecordingError(OSError):
    """Recording failed; the text says why and what to do."""


class RecordingRefused(RecordingError):
    """This user may not record on this interface."""


def loopback() -> str:
    """Return libpcap's name of this system's loopback interface."""
    return {"linux": "lo", "darwin": "lo0", "win32": r"\Device\NPF_Loopback"}.get(sys.platform, "lo0")


def libpcap_version() -> str:
    import cypcap

    return str(cypcap.lib_version())


class Tap:
    """Records the loopback into ``path`` while it is entered as a context, these TCP ports only.

    ``snap_length`` is what is kept of a frame, in bytes. Where frames are small and many, a small one makes room.
    """

    def __init__(
        self, path: Path | str, port: int | Sequence[int], comment: str = "", snap_length: int = SNAP_LENGTH
    ):
        self.path, self.comment, self._snap_length = Path(path), comment, snap_length
        ports = [port] if isinstance(port, int) else port
        self._kept = " or ".join(f"tcp port {one}" for one in ports)
        self.interface = loopback()
        self.frames = 0
        self._failure: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name="tap", daemon=True)

    def __enter__(self) -> "Tap":
        """Begin; returns when frames are being recorded. Raises RecordingRefused, RecordingError."""
        self._marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._marker.bind(("127.0.0.1", 0))
        self._mark = b"end of recording " + self._marker.getsockname()[1].to_bytes(2, "big")
        try:
            self._pcap = open_interface(self.interface, self._snap_length)
            set_filter(self._pcap, f"{self._kept} or udp port {self._marker.getsockname()[1]}")
            # Before the filter stood, a busy loopback may have overflowed the buffer: with frames that are not ours.
            self._dropped_before = self._pcap.stats().drop
            self.path.parent.mkdir(parents=True, exist_ok=True)
            about, link_type = "loopback, as libpcap records it", int(self._pcap.datalink())
            application = "packet-capture lab kit"
            self._writer = CaptureWriter(self.path, comment=self.comment or None, application=application)
            self._writer.add_interface(self.interface, link_type, about, self._snap_length, filter=self._kept)
            self._writer.flush()
        except OSError as error:
            self._marker.close()
            if isinstance(error, RecordingError):
                raise
            raise RecordingError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._thread.start()
        return self

    def stop(self) -> None:
        """End after everything that was sent before this call. Raises RecordingError if frames are missing."""
        if self._thread.ident is None or not self._thread.is_alive():
            return self._close()
        deadline = time.monotonic() + END_MARK_S
        while not self._ended.is_set() and time.monotonic() < deadline:
            # More than once: a datagram may be lost, also on the loopback.
            self._marker.sendto(self._mark, self._marker.getsockname())
            self._ended.wait(0.2)
        complete = self._ended.is_set()
        self._pcap.breakloop()
        self._thread.join(END_MARK_S)
        statistics = self._pcap.stats()
        self._close()
        if self._failure:
            raise RecordingError(f"the recording {self.path} broke off: {self._failure}") from self._failure
        if not complete:
            raise RecordingError(f"the recording {self.path} has no end: {self.interface} went silent")
        if dropped := statistics.drop - self._dropped_before:
            raise RecordingError(f"the kernel dropped {dropped} frames of {self.path}: record again")

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.stop()
        except RecordingError:
            if kind is None:  # do not hide what happened first
                raise

    def _close(self) -> None:
        self._writer.close()
        self._marker.close()

    def _record(self) -> None:
        import cypcap

        try:
            self._pcap.loop(-1, self._write)
        except cypcap.Error as error:
            if error.args[0] != cypcap.ErrorCode.BREAK:
                self._failure = error

    def _write(self, header: Any, frame: bytes) -> None:
        if self._mark in frame:
            self._ended.set()
            self._pcap.breakloop()
        elif not self._ended.is_set() and not self._failure:
            try:
                self._writer.write(frame, microseconds_as_ns(header.ts), original_length=header.len)
                self._writer.flush()
                self.frames += 1
            except OSError as error:  # a full disk, say; an exception must not pass through libpcap
                self._failure = error


def open_interface(interface: str, snap_length: int = SNAP_LENGTH, buffer_bytes: int = BUFFER_BYTES) -> Any:
    """Return a libpcap handle that records ``interface`` from now on. Raises RecordingRefused or RecordingError."""
    try:
        import cypcap
    except ImportError as error:
        text = f"recording needs the package cypcap ({error}): pip install -r requirements.txt"
        raise RecordingError(text) from error
    try:
        handle = cypcap.create(interface)
        handle.set_snaplen(snap_length)
        handle.set_immediate_mode(True)  # a session is over in the time that a buffer takes to fill
        handle.set_buffer_size(buffer_bytes)
        handle.activate()
    except cypcap.Error as error:
        reason = str(error.args[-1]) if error.args else str(error)
        if error.args[0] in (cypcap.ErrorCode.PERM_DENIED, cypcap.ErrorCode.PROMISC_PERM_DENIED):
            raise RecordingRefused(f"this user may not record on {interface}: {reason}") from error
        raise RecordingError(f"cannot record on {interface}: {reason}") from error
    return handle


def microseconds_as_ns(time_s: float) -> int:
    """Return cypcap's time in ns. It is a float, exact to a quarter of a microsecond: the microsecond is right."""
    return round(time_s * 1_000_000) * 1_000


def set_filter(handle: Any, expression: str) -> None:
    """Let only frames that fit a libpcap filter expression (pcap-filter(7)) through."""
    import cypcap

    # Compiled first: handed the text itself, cypcap 0.6 prints a stray number on standard output.
    handle.setfilter(cypcap.compile(handle.datalink(), SNAP_LENGTH, expression, True, cypcap.NETMASK_UNKNOWN))


def may_record() -> str | None:
    """Return why this user may not record on the loopback, or None: tried, not guessed."""
    try:
        open_interface(loopback()).close()
    except RecordingError as error:
        return str(error)
    return None


def how_to_record() -> str:
    """Return how a user who may not record can be allowed to, in one line for this system."""
    return HOW_TO_RECORD.get(sys.platform, HOW_TO_RECORD["linux"])


def nowhere_to_record(refused: str | None, obstacle: str) -> RecordingRefused:
    """Return the refusal where neither the machine's loopback can be recorded nor a namespace be made."""
    text = f"{refused}, and the kit can make no namespace here ({obstacle}): {how_to_record()}"
    return RecordingRefused(text)
