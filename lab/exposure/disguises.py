"""Breaking what only looks like encryption: base64, and a key of a few bytes repeated over the stream (XOR).

base64 is a way of writing bytes (RFC 4648) without any secret: anyone who sees it can undo it.

XOR with a repeating key has one secret, and reveals it: ciphertext XOR plaintext *is* the key. The protocol is public, so
the eavesdropper knows words that must be somewhere (a *crib*). It tries the crib at every place; where it fits, the result
is the same few bytes over and over: the key, and the proof.
"""

import base64
import binascii
import re
from os.path import commonprefix

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import ReportWire

# What every client of the two wires sends, long enough that a key shows its period in it.
CRIBS = (
    commonprefix([JsonWire().encode(events.Join(name)).decode() for name in ("Ann", "Bob")]).encode(),
    ReportWire.encode(events.Announce()),
)
LONGEST_KEY = 10  # half the shorter crib: the key must be seen twice to be believed
SEARCHED_BYTES = 4096  # of a stream: names and commands stand at its beginning
BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]+={0,2}\n)+")


def undo_base64(data: bytes) -> list[tuple[int, bytes]] | None:
    """Return (offset of its last byte, decoded bytes) of each base64 line in ``data``; None if it is something else."""
    if not BASE64_LINES.fullmatch(data):
        return None
    decoded, offset = [], 0
    for line in data.splitlines(keepends=True):
        try:
            plain = base64.b64decode(line.strip(), validate=True)
        except binascii.Error:
            return None
        offset += len(line)
        decoded.append((offset - 1, plain))
    return decoded


def find_xor_key(data: bytes) -> bytes | None:
    """Return the key that was repeated over ``data`` from its first byte on, or None where no crib fits."""
    data = data[:SEARCHED_BYTES]
    for crib in CRIBS:
        length, known = len(crib), int.from_bytes(crib, "big")  # quicker than byte by byte
        for place in range(len(data) - length + 1):
            there = int.from_bytes(data[place : place + length], "big")
            stream = (there ^ known).to_bytes(length, "big")
            for period in range(1, min(LONGEST_KEY, length // 2) + 1):
                if stream[period:] == stream[:-period]:
                    key = bytes(stream[(i - place) % period] for i in range(period))
                    return key if any(key) else None  # a key of zeros: nothing was disguised
    return None


def xor(data: bytes, key: bytes, start: int = 0) -> bytes:
    """XOR ``data`` with a repeated key; ``start`` is its place in the stream. The same again undoes it."""
    return bytes(byte ^ key[(start + i) % len(key)] for i, byte in enumerate(data))
