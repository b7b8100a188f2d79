"""Checks of sheet 04: a byte stream keeps no message boundaries, and a receiver must not need them."""

import json
import random
from functools import cache

from lab.dissect.text import counted
from lab.exercises.checks.failures import Raised
from lab.exercises.checks.story import Story, Wrong, show
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import PLAIN, Case, Talk, Tape, line, near_wrap, shipped

LIMIT = 200  # of the decoder in these checks, in bytes


@task("another_reading")
def test_another_reading(student, seed):
    dice = random.Random(f"sheet 04 readings {seed}")
    rule = (
        "A sent text is its UTF-8 bytes and nothing else: no length, no end mark, nothing but the order of the bytes. "
        "Another reading has other "
        "texts, none of them empty, whose bytes in sequence are the same. A single character has no other reading (RFC 9293 "
        "section 3.7: the boundaries of writes, segments and reads need not match)."
    )
    given_lists = [
        ["hello", "there"],
        ["☕"],
        ["a"],
        ["ab"],
        ["é", "é"],
        ["ab", "ab"],
        ["☕☕"],
        ["hello"],
        ["a", "b", "c"],
        ["é!"],
    ]
    given_lists += [[line(dice) for _ in range(dice.randint(1, 5))] for _ in range(12)]
    for messages in given_lists:
        given = f"a client said, in this order: {messages!r}"
        got = student.call("another_reading", messages, given=given, rule=rule)
        fault = _fault_of_reading(messages, got)
        if fault:
            wire_bytes = "".join(messages).encode()
            steps = [f"the client sends {counted(len(messages), 'text')}", f"on the wire: {show(wire_bytes)}"]
            raise Wrong(Story("another_reading", given, f"{show(got)}: {fault}", rule, steps), None)


def _fault_of_reading(messages: list[str], got) -> str:
    """Return what is wrong with a student's other reading, or "" if it is one."""
    stream = "".join(messages).encode()
    if got is None:
        return "" if len("".join(messages)) == 1 else "there is another reading"
    if not isinstance(got, (list, tuple)) or not all(isinstance(text, str) for text in got):
        return "that is not a list of texts"
    if list(got) == messages:
        return "that is the same conversation"
    if not all(got):
        return "an empty text puts nothing on the wire, so nobody ever receives one"
    if "".join(got).encode(errors="replace") != stream:
        return "these texts put other bytes on the wire"
    return ""


@cache
def streams(seed: int) -> list[Case]:
    dice = random.Random(f"sheet 04 frames {seed}")
    found = [shipped(PLAIN)]
    for wraps in (False, True):
        tape = Tape(dice)
        isn = near_wrap(dice, 40) if wraps else dice.randrange(1 << 31)
        talk = Talk(tape, isns=(isn, dice.randrange(1 << 32))).open()
        for _ in range(12):
            seq, text = talk.sent["client"], dice.randbytes(dice.randint(1, 12))
            talk.say("client", text)
            if dice.random() < 0.35:
                talk.again("client", seq, text)
            if dice.random() < 0.3:
                talk.acknowledge("server")
        found.append(
            tape.case("short segments, some of them twice" + (", numbers that wrap around" if wraps else ""))
        )
    return found


@task("frames_carrying")
def test_frames_carrying(student, seed):
    rule = (
        "Byte 0 of a stream has the sequence number after the SYN's (the SYN takes one), modulo 2**32. A frame carries a "
        "byte range if "
        "it brings at least one new byte of the range; the byte after the range is not part of it (RFC 9293 section 3.4)."
    )
    dice = random.Random(f"sheet 04 ranges {seed}")
    for case in streams(seed):
        stream = case.flows[0].from_initiator
        rows = [{key: row[key] for key in ("frame", "seq", "flags", "payload")} for row in case.side(stream)]
        ranges = [(piece.offset, piece.length) for piece in stream.pieces]
        ranges += [(0, 1), (0, len(stream)), (len(stream) - 1, 1)]
        for _ in range(10):
            start = dice.randrange(len(stream))
            ranges.append((start, dice.randint(1, len(stream) - start)))
        for start, length in ranges:
            right = stream.frames(start, length)
            given = (
                f"bytes {start} to {start + length} (not included) of the stream from {case.flows[0].initiator} "
                f"in {case.name}"
            )
            got = student.call("frames_carrying", rows, start, length, given=given, rule=rule, case=case)
            frame = None
            if isinstance(got, (list, tuple)):
                frame = next(
                    (number for number in got if isinstance(number, int) and number not in right), None
                )
            student.compare("frames_carrying", right, got, given, {"": rule}, case, frame)


def _chop(dice: random.Random, data: bytes, longest: int) -> list[bytes]:
    pieces = []
    while data:
        size = dice.randint(1, longest)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def _message(dice: random.Random) -> dict:
    text = dice.choice(
        [line(dice), "☕ naïve", "two\nlines", "a\u2028b\x85c", "\x0b\x0c\x1c", 'tab\tand \\ and "']
    )
    return dice.choice(
        [
            {"event": "say", "text": text},
            {"event": "who"},
            {"event": "msg", "to": "Zoë", "text": text, "id": "1"},
        ]
    )


def _on_the_wire(message: dict) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


@task("LineDecoder")
def test_line_decoder(student, seed):
    rule = (
        "A message ends at a byte 10 and nowhere else; what follows the last one is kept for the next call; bytes "
        "are decoded once their line "
        "is complete, since a cut may fall inside a character (RFC 3629 section 3, RFC 8259 section 8)."
    )
    dice = random.Random(f"sheet 04 lines {seed}")
    for longest in (1, 2, 5, 40, 1000):
        messages = [_message(dice) for _ in range(12)]
        whole = b"".join(_on_the_wire(message) for message in messages)
        extra = dice.choice([b"", b'{"event": "sa'])
        pieces = _chop(dice, whole + extra, longest)
        right, seen = [], b""
        for piece in pieces:
            before = seen.count(b"\n")
            seen += piece
            right.append(messages[before : seen.count(b"\n")])
        given = (
            f"{len(messages)} messages of {len(whole)} bytes in {len(pieces)} pieces of at most {longest} "
            f"bytes, limit {LIMIT}"
        )
        got = student.session("LineDecoder", [LIMIT], [("feed", [piece]) for piece in pieces], given, rule)
        if got and isinstance(got[-1], Exception):
            _tell(given, pieces, len(got) - 1, f"feed raised {got[-1]}", rule)
        for place, (one, other) in enumerate(zip(right, got, strict=True)):
            if other != one:
                _tell(given, pieces, place, f"feed returned {show(other)}", rule, one)
    _check_limits(student, dice)


def _tell(given: str, pieces: list[bytes], place: int, came_back: str, rule: str, right=None) -> None:
    steps = [f"feed({piece!r:.70})" for piece in pieces[max(0, place - 2) : place + 1]]
    raise Wrong(Story("LineDecoder", given, f"in call {place + 1} {came_back}", rule, steps), right)


def _check_limits(student, dice: random.Random) -> None:
    """Check that bad lines are refused and that a line that just fits is not."""
    head, tail = b'{"event":"say","text":"', b'"}'

    def sized(size: int, letter: str = "x") -> bytes:
        """Return a complete line of exactly that many bytes, including its newline."""
        room = size - len(head) - len(tail) - 1
        count, rest = divmod(room, len(letter.encode()))
        return head + (letter * count + "x" * rest).encode() + tail + b"\n"

    too_long = (
        f"A line has at most {LIMIT} bytes, including its newline, whether the newline has arrived or not: "
        "a sender that never sends one must not fill the memory."
    )
    no_object = "A line that is not a JSON object in UTF-8 is refused with ValueError (RFC 8259)."
    stories = [
        ("a line of exactly the limit", [sized(LIMIT)], None, too_long),
        ("a line of exactly the limit, cut before its newline", [sized(LIMIT)[:-1], b"\n"], None, too_long),
        ("a line one byte too long", [sized(LIMIT + 1)], 0, too_long),
        (
            "a line one byte too long, in two pieces",
            [sized(LIMIT + 1)[:150], sized(LIMIT + 1)[150:]],
            1,
            too_long,
        ),
        ("a line without end", [b"{" + b"x" * 99, b"x" * 99, b"x" * 99], 2, too_long),
        ("an unfinished line that can no longer fit", [b"{" + b"x" * (LIMIT - 2), b"x"], 1, too_long),
        ("few characters, too many bytes", [sized(LIMIT + dice.randint(1, 9), "☕")], 0, too_long),
        ("many short lines at once", [sized(90) * 30], None, too_long),
        ("a line that is too long after a good one", [sized(60) + sized(LIMIT + 1)], 0, too_long),
        ("a list", [b"[1, 2]\n"], 0, no_object),
        ("a number", [b"4\n"], 0, no_object),
        ("not JSON", [b"hello\n"], 0, no_object),
        ("a character that is never completed", [b'{"event":"say","text":"\xc3"}\n'], 0, no_object),
    ]
    for given, pieces, refused_at, rule in stories:
        got = student.session(
            "LineDecoder", [LIMIT], [("feed", [piece]) for piece in pieces], f"{given}, limit {LIMIT}", rule
        )
        raised = isinstance(got[-1], Raised)
        if raised and got[-1].kind not in ("ValueError", "UnicodeDecodeError", "JSONDecodeError"):
            _tell(given, pieces, len(got) - 1, f"feed raised {got[-1]}", rule)
        if raised and refused_at is None:
            _tell(given, pieces, len(got) - 1, "feed refused a valid line", rule)
        if refused_at is not None and (not raised or len(got) - 1 != refused_at):
            what = "feed refused it too early" if raised and len(got) - 1 < refused_at else "feed accepted it"
            _tell(given, pieces, min(len(got) - 1, refused_at), what, rule)
