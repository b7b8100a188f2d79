"""Hidden checks of sheet 09: every cut of a stream, and many rows and messages."""

import random

from lab.exercises.checks.tasks import task


@task("record_sizes")
def hidden_record_sizes(student, seed):
    rule = "A record counts if all of its bytes are there, its length less 17 (RFC 8446 section 5.2)."
    dice = random.Random(f"hidden 09 sizes {seed}")
    lengths = [dice.randrange(17, 50) for _ in range(3)]
    stream = b"".join(b"\x17\x03\x03" + bytes([0, one]) + dice.randbytes(one) for one in lengths)
    for cut in range(len(stream) + 1):
        ends = [sum(lengths[: count + 1]) + 5 * (count + 1) for count in range(3)]
        right = [one - 17 for one, end in zip(lengths, ends, strict=True) if end <= cut]
        given = f"the first {cut} bytes of three records"
        student.expect("record_sizes", stream[:cut], right=right, given=given, rules={"": rule})


@task("keystroke_intervals")
def hidden_keystroke_intervals(student, seed):
    rule = "The most frequent size from the client, of several the smallest; then one difference fewer than keys."
    dice = random.Random(f"hidden 09 keys {seed}")
    for number in range(40):
        small, large, count = dice.randrange(20, 40), dice.randrange(40, 60), dice.randrange(1, 8)
        sizes = [small, large] * count
        dice.shuffle(sizes)
        times = sorted(dice.sample(range(9000), len(sizes)))
        keys = [time for time, size in zip(times, sizes, strict=True) if size == small]
        records = [(time, size, -1) for time, size in zip(times, sizes, strict=True)]
        records = sorted([*records, *((dice.randrange(9000), large, 1) for _ in range(3))])
        right = [after - before for before, after in zip(keys, keys[1:], strict=False)]
        given = f"recording {number}: {count} records of each of two sizes"
        student.expect("keystroke_intervals", records, right=right, given=given, rules={"": rule})


@task("nearest_centroid")
def hidden_nearest_centroid(student, seed):
    rule = "Of labels that are equally near, the first in alphabetical order; distances are sums of squares."
    dice = random.Random(f"hidden 09 centroid {seed}")
    for number in range(40):
        place, step = [dice.randrange(50) for _ in range(3)], dice.randrange(1, 9)
        left, right = ([one + way * step for one in place] for way in (-1, 1))
        names = [f"label {dice.randrange(10**6)}" for _ in range(3)]
        known = {names[0]: [left, left], names[1]: [right], names[2]: [[one + 3 * step for one in place]]}
        given = f"rows {number}: two labels are equally far from {place}"
        student.expect("nearest_centroid", known, place, right=min(names[:2]), given=given, rules={"": rule})


@task("cost_of_padding")
def hidden_cost_of_padding(student, seed):
    rule = "Filled up to a multiple of the block, the content type included, to 16,385 at most (RFC 8446 section 5.4)."
    dice = random.Random(f"hidden 09 padding {seed}")
    for _ in range(40):
        block, count = dice.randrange(1, 5000), dice.randrange(1, 5)
        sums = [min(block * dice.randrange(1, 20), 16_385) for _ in range(count)]
        more = [dice.randrange(min(block, 900)) if one % block == 0 else 0 for one in sums]
        sizes = [one - less - 1 for one, less in zip(sums, more, strict=True)]
        right = (sum(more), len(set(sums)))
        given = f"{sizes} in blocks of {block}"
        student.expect("cost_of_padding", sizes, block, right=right, given=given, rules={"": rule})
