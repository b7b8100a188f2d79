"""Read, follow and explain the bytes of a capture: ``from lab import dissect``.

    dissect.read_capture(path)      the frames of a file, as columns          files.capture_file
    dissect.read_segments(path)     its TCP segments, as columns              tcp.segments
    dissect.find_flows(segments)    its connections, and what each side sent  tcp.flows
    dissect.read_records(stream)    the TLS records of one direction          tls.records
    dissect.open_flow(flow, keys)   the TLS connection, decrypted             tls.session
    dissect.dissect_frame(frame)    every bit of one frame, explained         fields.frame

Each is imported when it is first used, so that a program that only writes captures does not load the rest.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.dissect.fields.frame import dissect_frame
    from lab.dissect.files.capture_file import read_capture
    from lab.dissect.tcp.flows import find_flows
    from lab.dissect.tcp.segments import read_segments
    from lab.dissect.tls.records import read_records
    from lab.dissect.tls.session import open_flow

__all__ = ["dissect_frame", "find_flows", "open_flow", "read_capture", "read_records", "read_segments"]

# There is no linear algebra in here, but numpy's import starts a thread for it on each processor, which costs more than
# reading a small capture.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_HOMES = {
    "read_capture": "files.capture_file",
    "read_segments": "tcp.segments",
    "find_flows": "tcp.flows",
    "read_records": "tls.records",
    "open_flow": "tls.session",
    "dissect_frame": "fields.frame",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
