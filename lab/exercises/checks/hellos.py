"""Make up ClientHellos for checks: GREASE here and there, extensions in any order, key shares of several groups."""

import random
import struct
from collections.abc import Iterable

LEGACY_VERSION = 0x0303  # of every ClientHello since TLS 1.2 (RFC 8446 section 4.1.2)
SIZES = {29: 32, 23: 65, 24: 97, 0x11EB: 1249, 0x11EC: 1216, 0x11ED: 1665}
HELLO_EXTENSIONS = (5, 10, 11, 13, 16, 18, 21, 23, 27, 35, 43, 45, 51, 0, 0x4469, 0xFE0D, 0xFF01)


def vector(size: int, data: bytes) -> bytes:
    """Return ``data`` behind its length in ``size`` bytes."""
    return len(data).to_bytes(size, "big") + data


def numbers(*values: int) -> bytes:
    """Return these numbers in two bytes each."""
    return struct.pack(f">{len(values)}H", *values)


def make_hello(ciphers: Iterable[int], extensions: Iterable[tuple[int, bytes]], dice: random.Random) -> bytes:
    """Return a ClientHello of these suites and (type, contents)."""
    body = numbers(LEGACY_VERSION) + dice.randbytes(32) + vector(1, dice.randbytes(dice.choice((0, 32))))
    body += vector(2, numbers(*ciphers)) + vector(1, b"\0")
    body += vector(2, b"".join(numbers(kind) + vector(2, data) for kind, data in extensions))
    return b"\x01" + vector(3, body)


def some_hello(dice: random.Random) -> bytes:
    """Return a hello such as clients send: GREASE here and there, extensions in any order."""
    grease = [value for value in range(0x0A0A, 0x10000, 0x1010) if dice.random() < 0.1]
    ciphers = [*grease, *dice.sample(range(0x1301, 0x1400), dice.randint(1, 20))]
    groups = dice.sample(list(SIZES), dice.randint(0, 3))
    shares = [(group, SIZES[group]) for group in groups]
    if grease:
        shares.insert(0, (grease[0], 1))
    contents = {
        0: vector(2, b"\0" + vector(2, b"chat.lab.test")),
        13: vector(2, numbers(*grease, *dice.sample(range(0x0401, 0x0900), dice.randint(1, 9)))),
        16: vector(
            2, b"".join(vector(1, dice.choice((b"h2", b"http/1.1", b"x", b"chat/1"))) for _ in range(2))
        ),
        43: vector(
            1, numbers(*grease, *dice.choice(((0x0303,), (0x0304,), (0x0303, 0x0304), (0x0304, 0x0303))))
        ),
        51: vector(2, b"".join(numbers(group) + vector(2, dice.randbytes(size)) for group, size in shares)),
    }
    kinds = dice.sample(HELLO_EXTENSIONS, dice.randint(0, len(HELLO_EXTENSIONS))) + grease
    dice.shuffle(kinds)
    return make_hello(ciphers, [(kind, contents.get(kind, dice.randbytes(3))) for kind in kinds], dice)
