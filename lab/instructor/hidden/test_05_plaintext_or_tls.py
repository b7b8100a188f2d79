"""Hidden checks of sheet 05: beginnings of TLS connections of all kinds, cut anywhere."""

import random

from lab.exercises.checks.tasks import task


@task("find_finished")
def hidden_find_finished(student, seed):
    dice = random.Random(f"hidden 05 {seed}")
    rule = (
        "After change cipher spec in TLS 1.2, the first encrypted record in TLS 1.3, and only where it is not an alert "
        "(RFC 5246 section 7.4.9, RFC 8446 section 4.4.4)."
    )
    for number in range(40):
        version = dice.choice(("TLS 1.2", "TLS 1.3"))
        hellos = [(22, dice.randint(37, 517)) for _ in range(dice.randint(1, 3))]
        fits = dice.random() < 0.7
        if version == "TLS 1.2":
            before, end = [*hellos, (20, 1)], (22, dice.choice((32, 40))) if fits else (21, 26)
        else:
            changes = [(20, 1)] if dice.random() < 0.5 else []
            before, end = hellos + changes, (23, dice.choice((53, 69)) if fits else 19)
        records = [*before, end, *((23, dice.choice((19, 53, 69, 200))) for _ in range(dice.randint(0, 4)))]
        records = records[: dice.randint(0, len(records))]
        right = len(before) if fits and len(records) > len(before) else None
        given = f"beginning {number} ({version}): {len(records)} records"
        student.expect("find_finished", records, version, right=right, given=given, rules={"": rule})
