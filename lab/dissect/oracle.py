"""Ask tshark, pyshark and scapy the same questions, and list where their answers differ from ours.

Wireshark's dissectors are the field's reference, so this kit's own answers are compared with them. Nothing
else in the kit needs this module. Where a tool is missing, ``OracleMissing`` says which and how to get it.

    tshark    a process; ``-T fields`` prints one line a frame
    pyshark   drives tshark in an asyncio event loop; that cannot run inside a notebook's, so it has a thread
    scapy     takes frames apart in Python; it knows frames, not flows, so it has no relative numbers
"""

import asyncio
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from os import PathLike, fspath

from lab.dissect.tcp.segments import read_segments

TIMEOUT_S = 600

# A fragment is then shown where it stands, as here, and not in the frame of the last one.
NO_FRAGMENTS = ("ip.defragment:FALSE", "ipv6.defragment:FALSE")

# column of segments: Wireshark's field
FIELDS = {
    "number": "frame.number",
    "time_ns": "frame.time_epoch",
    "sport": "tcp.srcport",
    "dport": "tcp.dstport",
    "seq": "tcp.seq_raw",
    "ack": "tcp.ack_raw",
    "relative_seq": "tcp.seq",
    "relative_ack": "tcp.ack",
    "flags": "tcp.flags",
    "window": "tcp.window_size_value",
    "scaled_window": "tcp.window_size",
    "payload_length": "tcp.len",
    "header_length": "tcp.hdr_len",
    "flow": "tcp.stream",
    "frame_length": "frame.len",
    "captured_length": "frame.cap_len",
}

# The same for a packet's ``tcp`` in pyshark; in scapy the names are our own.
PYSHARK_FIELDS = {"sport": "srcport", "dport": "dstport", "relative_seq": "seq", "relative_ack": "ack"}
PYSHARK_FIELDS |= {"flags": "flags", "payload_length": "len", "flow": "stream"}
SCAPY_FIELDS = ("sport", "dport", "seq", "ack", "flags", "window")

Rows = dict[int, dict[str, int]]  # frame number: column: value


class OracleMissing(RuntimeError):
    """A tool to compare with is not on this machine; the text says how to get it."""


def tshark_path() -> str:
    found = shutil.which("tshark")
    if found is None:
        raise OracleMissing("tshark is not installed; on Debian or Ubuntu: apt install tshark")
    return found


def run_tshark(arguments: list[str]) -> bytes:
    done = subprocess.run([tshark_path(), "-n", *arguments], capture_output=True, timeout=TIMEOUT_S)
    # A file that ends in the middle of a packet, or is damaged, makes tshark complain after it has printed
    # the frames before that place.
    if done.returncode and not any(words in done.stderr for words in (b"cut short", b"damaged or corrupt")):
        raise RuntimeError(f"tshark: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def tshark_fields(
    path: str | PathLike[str], fields: list[str], display_filter: str = "", preferences: tuple[str, ...] = ()
) -> list[list[str]]:
    """Return the texts of ``fields`` (Wireshark's names), a list for each frame that passes ``display_filter``.

    A field that a frame does not have is ""; one that it has several times is joined with commas.
    ``preferences`` are Wireshark's, as "ip.defragment:FALSE". Raises OracleMissing.
    """
    arguments = ["-r", fspath(path), "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]
    for preference in preferences:
        arguments += ["-o", preference]
    for field in fields:
        arguments += ["-e", field]
    if display_filter:
        arguments += ["-Y", display_filter]
    return [line.split("\t") for line in run_tshark(arguments).decode("utf-8", "replace").splitlines()]


def tshark_streams(path: str | PathLike[str], flows: list[int]) -> dict[int, tuple[bytes, bytes]]:
    """Return what Follow Stream shows of each flow: the bytes of its first sender, and of the other."""
    arguments = ["-r", fspath(path), "-q"]
    for flow in flows:
        arguments += ["-z", f"follow,tcp,raw,{flow}"]
    return read_streams(run_tshark(arguments))


def read_streams(printed: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Return the streams in what tshark printed with ``-z follow,tcp,raw,...``."""
    streams: dict[int, tuple[bytearray, bytearray]] = {}
    current = None
    for line in printed.decode("utf-8", "replace").splitlines():
        if line.startswith("Filter: tcp.stream eq "):
            current = streams.setdefault(int(line.rsplit(" ", 1)[1]), (bytearray(), bytearray()))
        elif current is not None and line and set(line.strip()) <= set("0123456789abcdef"):
            current[line.startswith("\t")].extend(bytes.fromhex(line.strip()))
    return {flow: (bytes(first), bytes(second)) for flow, (first, second) in streams.items()}


def our_rows(path: str | PathLike[str]) -> Rows:
    """Return this kit's own answers."""
    segments = read_segments(path)
    columns = {name: getattr(segments, name).tolist() for name in FIELDS}
    known = segments.length_known.tolist()
    rows = {}
    for i, number in enumerate(columns["number"]):
        rows[number] = {name: values[i] for name, values in columns.items()}
        if not known[i]:
            del rows[number]["payload_length"]
    return rows


def tshark_rows(path: str | PathLike[str]) -> Rows:
    """Return tshark's answers, under the names of this kit's columns."""
    return read_rows(tshark_fields(path, list(FIELDS.values()), "tcp.seq_raw", NO_FRAGMENTS))


def read_rows(lines: list[list[str]]) -> Rows:
    """Return the rows in what tshark printed of FIELDS."""
    rows = {}
    for line in lines:
        values = {name: _number(name, text) for name, text in zip(FIELDS, line, strict=True) if text}
        rows[values["number"]] = values
    return rows


def _number(column: str, text: str) -> int:
    if column == "time_ns":
        seconds, _, fraction = text.partition(".")
        value = int(seconds.lstrip("-")) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
        return -value if seconds.startswith("-") else value
    return int(text, 0)


def pyshark_rows(path: str | PathLike[str], use_json: bool = False) -> Rows:
    """Return pyshark's answers. Raises OracleMissing."""
    with ThreadPoolExecutor(1, "pyshark") as thread:
        return thread.submit(_with_own_loop, lambda: _ask_pyshark(fspath(path), use_json)).result()


def _ask_pyshark(path: str, use_json: bool) -> Rows:
    try:
        import pyshark
        from pyshark.capture.capture import TSharkCrashException
    except ImportError as error:
        raise OracleMissing(f"pyshark is not installed ({error}); pip install pyshark") from None
    tshark_path()
    rows = {}
    capture = pyshark.FileCapture(path, display_filter="tcp", use_json=use_json, keep_packets=False)
    try:
        with closing(capture):
            for packet in capture:
                number = int(packet.number)
                row = {ours: int(getattr(packet.tcp, name), 0) for ours, name in PYSHARK_FIELDS.items()}
                rows[number] = {"number": number, **row, "frame_length": int(packet.length)}
    except TSharkCrashException as error:
        # 255 is what asyncio reports where another part of it has already asked how the process ended (a race when it
        # ends): by then tshark has written all it had. A real failure has another number.
        if "retcode: 255" not in str(error):
            raise
    return rows


def _with_own_loop(ask: Callable[[], Rows]) -> Rows:
    """Call ``ask`` with an event loop of this thread's own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The watcher that older Pythons use in threads may miss how a process ended and then reports 255, which pyshark
    # takes for a crash of tshark. Python 3.12 uses this one by itself.
    needs_watcher = sys.version_info < (3, 12) and hasattr(os, "pidfd_open")
    if needs_watcher:
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(loop)
        asyncio.set_child_watcher(watcher)
    try:
        return ask()
    finally:
        if needs_watcher:  # it is the whole process's, and of no use without this loop: put Python's own back
            asyncio.set_child_watcher(asyncio.ThreadedChildWatcher())
        loop.close()


def scapy_rows(path: str | PathLike[str]) -> Rows:
    """Return scapy's answers: single frames, so no flows and no relative numbers. Raises OracleMissing."""
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it warns of links that it does not know
    try:
        from scapy.layers.inet import TCP
        from scapy.layers.inet6 import IPv6  # noqa: F401  (makes scapy know IPv6)
        from scapy.utils import PcapReader
    except ImportError as error:
        raise OracleMissing(f"scapy is not installed ({error}); pip install scapy") from None
    rows = {}
    with PcapReader(fspath(path)) as reader:
        for number, packet in enumerate(reader, 1):
            if TCP in packet:
                row = {name: int(getattr(packet[TCP], name)) for name in SCAPY_FIELDS}
                rows[number] = {"number": number, **row, "frame_length": packet.wirelen or len(packet)}
    return rows


@dataclass(frozen=True)
class Difference:
    """``engine`` and this kit disagree about ``column`` of frame ``number``; None is a missing row or value."""

    engine: str
    number: int
    column: str
    ours: int | None
    theirs: int | None


def compare(path: str | PathLike[str], engine: str = "tshark") -> list[Difference]:
    """Return where ``engine`` (tshark, pyshark or scapy) differs from this kit. Raises OracleMissing.

    Only columns that the engine has are compared. A row that only one of the two has is a difference.
    """
    engines: dict[str, Callable[..., Rows]]
    engines = {"tshark": tshark_rows, "pyshark": pyshark_rows, "scapy": scapy_rows}
    return differences(engine, engines[engine](path), our_rows(path))


def differences(engine: str, theirs: Rows, ours: Rows) -> list[Difference]:
    """Return where the rows of ``engine`` differ from ours, as ``compare`` does."""
    for row in [*theirs.values(), *ours.values()]:
        row["row"] = 1  # so that a missing row is found like any other difference
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(number, {}), theirs.get(number, {})
        for column in other if mine and other else ("row",):
            if mine.get(column) != other.get(column):
                found.append(Difference(engine, number, column, mine.get(column), other.get(column)))
    return found
