"""Checks of sheet 08: a hello over segments and records, retries, key shares, and JA4."""

import random
from functools import cache, lru_cache

from lab.dissect.fields.tls import RETRY_RANDOM
from lab.dissect.tls.ja4 import ja4
from lab.dissect.tls.session import open_flow
from lab.exercises.checks.hellos import make_hello, numbers, some_hello, vector
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import shipped
from lab.setup.paths import ROOT

NAMES = ("x25519", "x25519mlkem768", "x25519mlkem768-retry")
FILES = [ROOT / "captures" / "today" / f"tls13-{name}.pcapng" for name in NAMES]
FILES += [ROOT / "captures" / "chat" / f"{name}.pcapng" for name in ("tls12", "tls13")]


@cache
def recorded():
    """Return each flow and its session, whose messages anybody can read, the hello's frames, and who is meant."""
    found = []
    for path in FILES:
        case = shipped(path)
        for flow in case.flows:
            session = open_flow(flow)
            frames = session.messages[0].frames
            found.append((case, flow, session, frames, f"{flow.initiator} in {case.name}"))
    return found


@task("hello_across_segments")
def test_hello_across_segments(student, seed):
    rule = (
        "Join the segments, take the fragments of the records of type 22 out, and join these. The message is complete "
        "when there are 4 bytes and as many more as bytes 1 to 3 say; what follows belongs to the next message "
        "(RFC 8446 sections 4 and 5.1)."
    )
    dice = random.Random(f"sheet 08 segments {seed}")

    def ask(payloads, right, given, case=None, frame=None):
        student.expect(
            "hello_across_segments",
            payloads,
            right=right,
            given=given,
            rules={"": rule},
            case=case,
            frame=frame,
        )

    for case, flow, session, frames, who in recorded():
        stream, message = flow.from_initiator, session.messages[0]
        payloads = [
            stream.data[piece.offset : piece.offset + piece.length]
            for piece in stream.pieces[: len(frames) + 1]
        ]
        ask(payloads, message.data, f"{len(payloads)} segments of {who}", case, message.frame_number)
        if len(frames) > 1:
            ask(payloads[:1], None, f"the first segment of {who}", case, frames[0])
    for number in range(12):
        hello = some_hello(dice)
        step = dice.choice((40, 200, 1000, 16_384))
        pieces = [hello[at : at + step] for at in range(0, len(hello), step)]
        records = [b"\x16\x03\x01" + vector(2, piece) for piece in pieces]
        more = dice.choice((b"", b"\x14\x03\x03\x00\x01\x01", b"\x17\x03\x03\x00\x02ab"))
        for cut in (len(b"".join(records)), dice.randrange(len(b"".join(records))), 0, 3):
            data = b"".join(records)[:cut]
            right = hello if cut == len(b"".join(records)) else None
            sent = data + (more if right else b"")
            size = dice.choice((1, 3, 700, 1460))
            payloads = [sent[at : at + size] for at in range(0, len(sent), size)]
            given = f"made-up hello {number} of {len(hello)} bytes: {cut} bytes of its {len(records)} records, {size} a segment"
            ask(payloads, right, given)
        behind = hello + b"\x14\0\0\x20" + dice.randbytes(32)
        ask(
            [b"\x17\x03\x03" + vector(2, hello)],
            None,
            f"made-up data {number} that looks like a hello, in a record of type 23",
        )
        ask(
            [b"\x16\x03\x01" + vector(2, behind)],
            hello,
            f"made-up hello {number}, and another message in its record",
        )


@task("is_retry")
def test_is_retry(student, seed):
    rule = (
        "A HelloRetryRequest is a message of type 2 whose random, bytes 6 to 37 with the header, is the SHA-256 of "
        "HelloRetryRequest (RFC 8446 section 4.1.3)."
    )
    dice = random.Random(f"sheet 08 retry {seed}")
    for case, _, session, _, who in recorded():
        for message in session.messages[:4]:
            given = (
                f"{message.name if message.kind != 2 else 'a message of type 2'} of the connection of {who}"
            )
            right = message.is_retry
            student.expect(
                "is_retry", message.data, right=right, given=given, rules={"": rule}, case=case,
                frame=message.frame_number,
            )  # fmt: skip
    near = bytearray(RETRY_RANDOM)
    near[dice.choice((0, 8, 31))] ^= 1
    for name, kind, value in (
        ("a ServerHello", 2, dice.randbytes(32)),
        ("a retry request", 2, RETRY_RANDOM),
        ("nearly the constant", 2, bytes(near)),
        ("a ClientHello with that random", 1, RETRY_RANDOM),
        ("a ServerHello that ends early", 2, RETRY_RANDOM[: dice.randrange(32)]),
        ("a ServerHello with that value as its session ID", 2, dice.randbytes(32) + b"\x20" + RETRY_RANDOM),
    ):
        message = bytes([kind]) + vector(
            3, numbers(0x0303) + value + b"\0\x13\x01\0\0\0" * (len(value) >= 32)
        )
        right = kind == 2 and value == RETRY_RANDOM
        given = f"{name}, made up for this check"
        student.expect("is_retry", message, right=right, given=given, rules={"": rule})


@lru_cache(maxsize=256)
def _shares(hello_message) -> list[tuple[int, int]]:
    from lab.dissect.fields.tls import dissect_handshake
    from lab.dissect.fields.tree import Cursor

    tree = dissect_handshake(Cursor(hello_message, 0, len(hello_message)))
    key = "tls.handshake.extensions_key_share_"
    keys = [one.value for one in tree.walk() if one.key == key + "key_exchange_length"]
    return list(zip([one.value for one in tree.walk() if one.key == key + "group"], keys, strict=True))


@task("key_share_sizes")
def test_key_share_sizes(student, seed):
    rule = (
        "Extension 51 begins with its own 2 bytes of length; each share is a group (2 bytes), a length (2 bytes) and as many "
        "bytes of key, and the next share begins right behind it (RFC 8446 section 4.2.8)."
    )
    dice = random.Random(f"sheet 08 shares {seed}")
    for case, _, session, _, who in recorded():
        for message in session.messages:
            if message.kind == 1:
                student.expect(
                    "key_share_sizes", message.data, right=_shares(message.data), given=f"a hello of {who}",
                    rules={"": rule}, case=case, frame=message.frame_number,
                )  # fmt: skip
    empty = make_hello([0x1301], [(51, b"\0\0")], dice)
    for name, hello in [("without shares", empty), *((f"number {n}", some_hello(dice)) for n in range(20))]:
        given = f"a hello made up for this check, {name}: {len(hello)} bytes"
        student.expect("key_share_sizes", hello, right=_shares(hello), given=given, rules={"": rule})


right_ja4 = lru_cache(maxsize=256)(ja4)  # a grader asks for the same ones for each student


@task("ja4")
def test_ja4(student, seed):
    rule = (
        "Letter by letter as the docstring says: GREASE counts nowhere; the numbers count all other suites and "
        "extensions; these are sorted, signature algorithms are not; 0 and 16 are counted but not summed up "
        "(RFC 8701; FoxIO's JA4)."
    )
    dice = random.Random(f"sheet 08 ja4 {seed}")
    for case, _, session, _, who in recorded():
        message = session.messages[0]
        student.expect(
            "ja4", message.data, right=right_ja4(message.data), given=f"the hello of {who}", rules={"": rule}, case=case,
            frame=message.frame_number,
        )  # fmt: skip
    many = make_hello(range(0x1400, 0x1400 + 120), [(kind, b"") for kind in range(100, 220)], dice)
    old = make_hello([0x002F], [], dice)
    algorithms = (13, vector(2, numbers(0x0804, 0x0403, 0x0401)))
    plain = make_hello([0x1302, 0x1301], [(43, b"\x04\x03\x03\x03\x04"), algorithms], dice)
    mixed = make_hello([0x0A1A, 0x1301], [(0x2A0A, b""), (0x1A0A, b"")], dice)
    made_up = {
        "120 suites and extensions": many,
        "no extensions": old,
        "no name": plain,
        "not quite GREASE": mixed,
    }
    made_up |= {f"number {number}": some_hello(dice) for number in range(30)}
    for name, hello in made_up.items():
        given = f"a hello made up for this check, {name}: {len(hello)} bytes"
        student.expect("ja4", hello, right=right_ja4(hello), given=given, rules={"": rule})
