"""Hidden checks of sheet 06: pieces of any size, lost, doubled and shuffled, often across the wrap-around."""

import random

from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import Talk, Tape

STORMS = 25


def storm(dice: random.Random):
    tape = Tape(dice)
    isn = (1 << 32) - dice.randint(1, 150) if dice.random() < 0.5 else dice.randrange(1 << 32)
    talk = Talk(tape, isns=(isn, dice.randrange(1 << 32)))
    talk.segment("client", "SYN", 0, None)
    stream = dice.randbytes(dice.randint(1, 150))
    pieces = []
    for _ in range(dice.randint(1, 25)):
        start = dice.randrange(len(stream))
        pieces.append((start, min(len(stream), start + dice.randint(1, 30))))
    for start, end in pieces:
        payload = dice.randbytes(end - start) if dice.random() < 0.2 else stream[start:end]
        talk.segment("client", "PSH ACK", 1 + start, 1, payload)
    return tape.case("a storm")


@task("reassemble")
def hidden_reassemble(student, seed):
    dice = random.Random(f"hidden 06 {seed}")
    rule = (
        "First come, first kept, for every single byte; order by number modulo 2**32; holes reported and not filled "
        "(RFC 9293 section 3.10.7.4)."
    )
    for number in range(STORMS):
        case = storm(dice)
        rows = [
            {key: row[key] for key in ("frame", "source", "destination", "seq", "flags", "payload")}
            for row in case.rows
        ]
        base = rows[0]["seq"] + 1
        first: dict[int, int] = {}
        for row in rows:
            for place, byte in enumerate(row["payload"]):
                first.setdefault((row["seq"] - base + place) % 2**32, byte)
        data, gaps, last = bytearray(), [], -1
        for place in sorted(first):
            if place != last + 1:
                gaps.append((len(data), place - last - 1))
            data.append(first[place])
            last = place
        right = {"data": bytes(data), "gaps": gaps}
        student.expect(
            "reassemble",
            rows,
            right=right,
            given=f"storm {number}: {len(rows)} segments",
            rules={"": rule},
            case=case,
        )
