"""Hidden checks of sheet 10: large windows, long segments, and numbers on either side of 2**32."""

import random

from lab.exercises.checks.tasks import task


@task("in_window")
def hidden_in_window(student, seed):
    rule = "The first or the last number in the window, modulo 2**32; a window of 0 takes an empty segment at its edge only."
    dice = random.Random(f"hidden 10 {seed}")
    for _ in range(200):
        expected, window = dice.randrange(1 << 32), dice.choice([0, dice.randrange(1, 1 << 20)])
        length = dice.choice([0, dice.randrange(1, 1 << 16)])
        first = dice.choice(
            [-length, 1 - length, -1, 0, window - 1, window, dice.randrange(-(1 << 17), 1 << 21)]
        )
        places = (first, first + max(length, 1) - 1)
        right = any(0 <= place < window for place in places) if window else (length, first) == (0, 0)
        arguments = ((expected + first) % (1 << 32), length, expected, window)
        given = "seq {}, length {}; expected {}, window {}".format(*arguments)
        student.expect("in_window", *arguments, right=right, given=given, rules={"": rule})
