"""Hidden checks of sheet 04: long lines, many of them, and a decoder that is used twice."""

import json
import random

from lab.exercises.checks.story import Story, Wrong
from lab.exercises.checks.tasks import task


@task("LineDecoder")
def hidden_line_decoder(student, seed):
    dice = random.Random(f"hidden 04 {seed}")
    rule = (
        "However many lines there are and wherever they are cut, each message comes once, in order, when its "
        "newline has come."
    )
    messages = [{"n": number, "text": "☕" * dice.randint(0, 2000)} for number in range(60)]
    whole = b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in messages)
    pieces = []
    while whole:
        size = dice.choice([1, 3, 1000, 50_000])
        pieces.append(whole[:size])
        whole = whole[size:]
    given = f"{len(messages)} messages in {len(pieces)} pieces, the usual limit"
    for _ in range(2):
        got = student.session("LineDecoder", [], [("feed", [piece]) for piece in pieces], given, rule)
        flat = (
            [] if any(not isinstance(part, list) for part in got) else [one for part in got for one in part]
        )
        if flat != messages:
            raise Wrong(
                Story("LineDecoder", given, f"{len(flat)} messages, and not those that were sent", rule)
            )
