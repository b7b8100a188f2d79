"""Checks of sheet 06: how the receiver deals with loss, repetition, overlap and reordering."""

import random
from functools import cache

from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import PLAIN, TLS13, Case, Talk, Tape, near_wrap, shipped

RULES = {
    "": "Number the bytes from the one after the SYN, modulo 2**32, and deliver them in order of these numbers (RFC 9293 "
    "section 3.10.7.4).",
    "data": "Every byte once, in the order of its number, counted from the one after the SYN modulo 2**32; what was "
    "received first is kept; nothing is "
    "filled in for missing bytes, and bytes after a hole are kept.",
    "gaps": "A gap is (offset in the data where bytes are missing, how many), for every hole between bytes that "
    "were recorded, and for no other.",
}


@cache
def weather(seed: int) -> list[tuple[str, list[str], Case]]:
    """Return streams of one direction, each damaged in one way, and then one damaged in all of them."""
    found = []

    def add(name, steps, plan, wrap=False):
        dice = random.Random(f"weather {name} {seed}")
        stream = dice.randbytes(dice.randint(60, 120))
        tape = Tape(dice)
        isn = (1 << 32) - dice.randint(5, 40) if wrap else dice.randrange(1 << 31)
        talk = Talk(tape, isns=(isn, dice.randrange(1 << 32)))
        talk.segment("client", "SYN", 0, None)
        for start, end, *other in plan(dice, len(stream)):
            payload = other[0] if other else stream[start:end]
            talk.segment("client", "PSH ACK", 1 + start, 1, payload)
        found.append((name, steps, tape.case(name)))

    def cut(dice, length, longest=15):
        edges = [0]
        while edges[-1] < length:
            edges.append(min(length, edges[-1] + dice.randint(3, longest)))
        return list(zip(edges, edges[1:], strict=False))

    def swapped(dice, length):
        pieces = cut(dice, length)
        place = dice.randrange(len(pieces) - 2)
        pieces[place], pieces[place + 1] = pieces[place + 1], pieces[place]
        return pieces

    def twice(dice, length):
        pieces = cut(dice, length)
        return [copy for piece in pieces for copy in [piece] * dice.choice([1, 2])] + [pieces[0]]

    def filled_later(dice, length):
        pieces = cut(dice, length)
        late = pieces.pop(dice.randrange(1, len(pieces) - 2))
        return [*pieces, late]

    def holes(dice, length):
        pieces = cut(dice, length, 12)
        for place in sorted(dice.sample(range(1, len(pieces) - 1), 2), reverse=True):
            del pieces[place]
        return pieces

    def first_missing(dice, length):
        return cut(dice, length)[1:]

    def glued(dice, length):
        """Send two lost segments again as one, longer than the first of them."""
        pieces = cut(dice, length)
        place = dice.randrange(len(pieces) - 3)
        return [*pieces[: place + 1], *pieces[place + 2 :], (pieces[place][0], pieces[place + 1][1])]

    def contradicting(dice, length):
        pieces = cut(dice, length)
        place = dice.randrange(1, len(pieces) - 1)
        start, end = pieces[place][0] - 2, pieces[place][1]
        return [*pieces[:place], (start, end, dice.randbytes(end - start)), *pieces[place:]]

    def contradicting_early(dice, length):
        """Let the bytes after a hole and the segment that fills it, and more, contradict each other."""
        pieces = cut(dice, length)
        place = dice.randrange(1, len(pieces) - 2)
        start, end = pieces[place][0], pieces[place + 1][1]
        return [
            *pieces[:place],
            *pieces[place + 1 :],
            (start, pieces[place][1]),
            (start, end, dice.randbytes(end - start)),
        ]

    def everything(dice, length):
        pieces = filled_later(dice, length) + twice(dice, length)[:3]
        dice.shuffle(pieces)
        return pieces

    def everything_with_holes(dice, length):
        pieces = holes(dice, length)
        pieces += dice.sample(pieces, 2)
        dice.shuffle(pieces)
        return pieces

    add("in order", ["segments one after the other"], cut)
    add("two segments overtake each other", ["the second of two segments arrives first"], swapped)
    add("segments twice", ["some segments arrive twice, the first one once more at the end"], twice)
    add(
        "a hole that is filled later",
        ["a segment is lost", "the others arrive", "it is sent again"],
        filled_later,
    )
    add("holes that stay", ["two segments never arrive"], holes)
    add("the beginning is missing", ["the first data segment never arrives"], first_missing)
    add("sent again as one", ["a segment is lost", "it is sent again, glued to the one before it"], glued)
    add(
        "an overlap that contradicts",
        ["a segment overlaps the one before it, with other bytes in it"],
        contradicting,
    )
    add(
        "a contradiction after a hole",
        ["a hole is filled", "the same place is sent again with other bytes"],
        contradicting_early,
    )
    add("numbers that wrap around", ["the sequence number passes 2**32 on the way"], cut, wrap=True)
    add(
        "wrapping around, out of order",
        ["segments overtake each other while the number passes 2**32"],
        swapped,
        wrap=True,
    )
    add(
        "wrapping around, with holes",
        ["two segments never arrive, and the number passes 2**32"],
        holes,
        wrap=True,
    )
    add("everything at once", ["lost, twice, overtaken"], everything, wrap=bool(seed % 2))
    add(
        "everything at once, and holes that stay",
        ["some lost for good, some sent twice, some overtaken"],
        everything_with_holes,
        wrap=not seed % 2,
    )
    return found


@task("reassemble")
def test_reassemble(student, seed):
    for path in (PLAIN, TLS13):
        case = shipped(path)
        for flow in case.flows:
            for stream in (flow.from_initiator, flow.from_responder):
                _expect_stream(student, case, stream, "a recording", ["nothing went wrong on the way"])
    for name, steps, case in weather(seed):
        _expect_stream(student, case, case.flows[0].from_initiator, name, steps)


def _expect_stream(student, case, stream, name, steps) -> None:
    rows = [
        {key: row[key] for key in ("frame", "source", "destination", "seq", "flags", "payload")}
        for row in case.side(stream)
    ]
    right = {"data": stream.data, "gaps": [(gap.offset, gap.length) for gap in stream.gaps]}
    given = f"{name}: {len(rows)} segments, one direction of {case.name}"
    got = student.call("reassemble", rows, given=given, rule=RULES[""], case=case, steps=steps)
    frame = None
    if isinstance(got, dict) and isinstance(got.get("data"), bytes):
        place = next(
            (at for at, (a, b) in enumerate(zip(stream.data, got["data"], strict=False)) if a != b), None
        )
        if place is None and len(got["data"]) != len(stream.data):
            place = min(len(got["data"]), len(stream.data) - 1)
        if place is not None:
            frame = stream.frame_at(place)
            steps = [
                *steps,
                f"up to byte {place} the data is as it was sent; that byte came in frame {frame}",
            ]
    student.compare("reassemble", right, got, given, RULES, case, frame, steps)


@cache
def repetitions(seed: int) -> list[tuple[str, list[str], Case]]:
    """Return connections in which bytes are sent again, or only seem to be."""
    found = []

    def add(name, steps, play, wrap=False):
        dice = random.Random(f"repetitions {name} {seed}")
        tape = Tape(dice)
        talk = Talk(tape, isns=(near_wrap(dice, 30), near_wrap(dice, 30)) if wrap else None).open()
        play(tape, talk, dice)
        found.append((name, steps, tape.case(name)))

    def same_again(tape, talk, dice):
        for _ in range(4):
            seq, text = talk.sent["client"], dice.randbytes(dice.randint(5, 20))
            talk.say("client", text)
            if dice.random() < 0.6:
                talk.again("client", seq, text)
            talk.acknowledge("server")
        talk.again("client", seq, text)

    def overtaken(tape, talk, dice):
        start = talk.sent["client"]
        talk.say("client", b"a" * 10)
        talk.say("client", b"b" * 10, lost=True)
        talk.say("client", b"c" * 10)
        talk.acknowledge("server", start + 10)
        talk.acknowledge("server", start + 10)
        talk.again("client", start + 10, b"b" * 10)
        talk.acknowledge("server")

    def duplicate_acks(tape, talk, dice):
        talk.say("server", b"question")
        for _ in range(3):
            talk.acknowledge("client")
        talk.say("client", b"answer")

    def one_goes_on(tape, talk, dice):
        seq = talk.sent["client"]
        talk.say("client", b"first")
        talk.say("client", b"second", lost=True)
        talk.again("client", seq, b"firstsecond")
        talk.acknowledge("server")

    def glued_again(tape, talk, dice):
        seq = talk.sent["client"]
        talk.say("client", b"first")
        talk.say("client", b"second")
        talk.again("client", seq, b"firstsecond")
        talk.again("client", seq + 2, b"rst")
        talk.acknowledge("server")

    def glued_where_numbers_wrap(tape, talk, dice):
        talk.isn["client"] = 2**32 - 2
        tape.frames.clear()
        talk.open()
        glued_again(tape, talk, dice)

    def both_sides(tape, talk, dice):
        """Let both sides use the same numbers: each counts for itself."""
        start = dice.randrange(1 << 31)
        talk.isn = {"client": start, "server": start}
        tape.frames.clear()
        talk.open()
        talk.say("client", b"hello")
        talk.say("server", b"hello")
        talk.acknowledge("client")

    add("the same segment again", ["the client says something", "some segments are sent again"], same_again)
    add(
        "late, not again",
        ["a segment is lost before the recording", "the next ones are seen", "the lost one is sent again"],
        overtaken,
    )
    add(
        "the same ACK again",
        ["the server says something", "the client acknowledges it three times"],
        duplicate_acks,
    )
    add("more than before", ["a segment", "the next is lost", "both come as one"], one_goes_on)
    add("again in other pieces", ["two segments", "both again as one", "a part of them again"], glued_again)
    add(
        "the same numbers on both sides",
        ["both sides start with the same number", "each says something"],
        both_sides,
    )
    add(
        "numbers that wrap around",
        ["segments are sent again while the number passes 2**32"],
        same_again,
        wrap=True,
    )
    add("other pieces where numbers wrap", ["two segments", "both again as one"], glued_where_numbers_wrap)
    return found


@task("find_retransmissions")
def test_find_retransmissions(student, seed):
    rule = (
        "A segment is a retransmission if it carries payload and every byte of it has been recorded before, from "
        "the same side, by number modulo 2**32. A "
        "pure ACK repeats no bytes; a late segment that fills a hole brings new ones, and so does one that continues "
        "past the old ones."
    )
    for name, steps, case in [("a recording", ["nothing went wrong"], shipped(PLAIN)), *repetitions(seed)]:
        for flow in case.flows:
            rows = [case.rows[i] for i in flow.rows.tolist()]
            right = _all_old(case, flow)
            given = (
                f"{name}: {len(rows)} segments between {flow.initiator} and {flow.responder} in {case.name}"
            )
            got = student.call("find_retransmissions", rows, given=given, rule=rule, case=case, steps=steps)
            frame = None
            if isinstance(got, (list, tuple)):
                frame = next(
                    (number for number in got if isinstance(number, int) and number not in right), None
                )
            student.compare("find_retransmissions", right, got, given, {"": rule}, case, frame, steps)


def _all_old(case: Case, flow) -> list[int]:
    """Return the frames with payload that add no byte to their stream, according to the dissector."""
    segments, found = case.segments, []
    for stream in (flow.from_initiator, flow.from_responder):
        kept = {piece.row for piece in stream.pieces} if len(stream) else set()
        found += [
            int(segments.number[row])
            for row in stream.rows.tolist()
            if segments.payload_captured[row] and row not in kept
        ]
    return sorted(found)
