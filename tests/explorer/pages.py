"""Pages about captures, each made once in a worker."""

import functools
from pathlib import Path

from lab.explorer.data import capture_data, read_source
from lab.explorer.page import explorer_page
from tests.dissect import packets
from tests.support import CAPTURES

OF_THE_READER = {"mine", "demo"}  # folders of captures/ whose files come and go
SHIPPED = sorted(path for path in CAPTURES.rglob("*.pcapng") if not OF_THE_READER & set(path.parts))

HOSTILE = (
    b"</script><script>window.caught = 1</script>",
    b"<img src=x onerror=window.caught=1>",
    b"\x1b[31mred\x00\x07 \xe2\x80\xaeright to left",
    b"<!--<script>",
    b"A" * 60_000,
)


@functools.cache
def page_about(captures: tuple[Path, ...], keys: Path | None) -> str:
    return explorer_page([(path, None) for path in captures], (keys.read_bytes(),) if keys else ())[0]


def data_of(path: Path, key_logs: tuple[bytes, ...] = ()) -> dict:
    return capture_data(read_source(path), path.name, key_logs)


def write_capture(path, payloads) -> None:
    """Write a file of segments, one after the other in one stream."""
    seq, frames = 1, []
    for number, payload in enumerate(payloads):
        segment = packets.tcp(
            "10.0.0.1", "10.0.0.2", 40000, 9898, seq, 1, packets.PSH | packets.ACK, payload=payload
        )
        frame = packets.link(packets.ETHERNET, packets.ipv4("10.0.0.1", "10.0.0.2", segment))
        frames.append((number * 1000, frame, len(frame)))
        seq += len(payload)
    path.write_bytes(packets.pcap(frames))
