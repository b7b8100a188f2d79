"""Checks of sheet 09: intervals and sizes out of records, a classifier by hand, and what padding costs."""

import random
from collections import Counter
from fractions import Fraction

from lab.dissect.tls.records import APPLICATION_DATA, read_records
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import TLS13, shipped
from lab.setup.paths import ROOT

TODAY = [ROOT / "captures" / "today" / f"tls13-x25519{name}.pcapng" for name in ("", "-records256")]
OVERHEAD, MOST = 17, 16_385  # of TLS 1.3: tag and content type; the largest content with its type


@task("keystroke_intervals")
def test_keystroke_intervals(student, seed):
    rule = (
        "Take the records from the client alone, of these the ones of the most frequent size (of several, the smallest), "
        "and subtract each one's time from the next one's. What lies between them does not matter."
    )
    dice = random.Random(f"sheet 09 keys {seed}")
    cases = {
        "nothing was recorded": [],
        "the client sent nothing": [(0, 60, 1), (90, 60, 1), (180, 60, 1)],
        "one record": [(0, 36, -1)],
        "two sizes, two of each": [(0, 75, -1), (100, 36, -1), (250, 75, -1), (460, 36, -1)],
        "two keys at the same time": [(0, 36, -1), (0, 36, -1), (120, 36, -1)],
    }
    for number in range(20):
        cases[f"made-up typist {number}"] = _typed(dice)
    for name, records in cases.items():
        given = f"{name}: {len(records)} records"
        right = _intervals(records)
        student.expect("keystroke_intervals", records, right=right, given=given, rules={"": rule})


def _typed(dice) -> list[tuple[int, int, int]]:
    """Return the records of somebody who joins, types, and sends a line, while others say more than that."""
    notice, now = dice.randrange(30, 50), 0
    records = [(0, notice + 13, -1), (2, 116, 1)]
    for _ in range(dice.randrange(5, 40)):
        now += dice.randrange(40, 400)
        records.append((now, notice, -1))
        for _ in range(dice.choice((0, 0, 1, 3))):
            records.append((now := now + dice.randrange(1, 30), dice.choice((notice, 75, 75, 75)), 1))
    ending = [
        (now + 200, notice + dice.randrange(10, 60), -1),
        (now + 201, 91, 1),
        (now + 900, notice - 1, -1),
    ]
    return records + ending


def _intervals(records) -> list[int]:
    counts = Counter(size for _, size, direction in records if direction < 0).items()
    notice = min(((-count, size) for size, count in counts), default=(0, 0))[1]
    keys = [time for time, size, direction in records if (size, direction) == (notice, -1)]
    return [keys[place + 1] - key for place, key in enumerate(keys[:-1])]


@task("record_sizes")
def test_record_sizes(student, seed):
    rule = (
        "The next record begins 5 bytes and the length behind the last one. Only type 23 counts, its length less 17 (tag and "
        "content type), and only if all of its bytes are there (RFC 8446 section 5.2)."
    )
    dice = random.Random(f"sheet 09 sizes {seed}")

    def ask(stream, right, given, case=None, frame=None):
        student.expect(
            "record_sizes", stream, right=right, given=given, rules={"": rule}, case=case, frame=frame
        )

    for path in (TLS13, *TODAY):
        case = shipped(path)
        for flow in case.flows:
            for side, who in ((flow.from_initiator, "client"), (flow.from_responder, "server")):
                found = [one for one in read_records(side) if one.content_type == APPLICATION_DATA]
                given = f"{len(side.data)} bytes from the {who} {flow.initiator} in {case.name}"
                right = [one.length - OVERHEAD for one in found]
                ask(bytes(side.data), right, given, case, found[0].frame_number)
    for number in range(30):
        stream, right = _stream(dice)
        cut = dice.choice((0, 0, 1, 2))
        if cut:
            tail = _record(23, dice.randrange(18, 400))
            stream += tail[: dice.randrange(1, 5) if cut == 1 else dice.randrange(5, len(tail))]
        ask(stream, right, f"made-up stream {number} of {len(stream)} bytes")


def _record(kind, length) -> bytes:
    return bytes([kind, 3, 3]) + length.to_bytes(2, "big") + bytes([23]) * length


def _stream(dice) -> tuple[bytes, list[int]]:
    records = [
        (
            dice.choice((20, 21, 22, 23, 23, 23, 23)),
            dice.choice((17, 19, 36, 300, dice.randrange(17, 16_000))),
        )
        for _ in range(dice.randrange(9))
    ]
    sizes = [length - OVERHEAD for kind, length in records if kind == 23]
    return b"".join(_record(*one) for one in records), sizes


@task("nearest_centroid")
def test_nearest_centroid(student, seed):
    rule = (
        "The centroid of a label is the mean of its rows, however many they are; the label with the smallest sum of squared "
        "differences to it wins, of equals the first in alphabetical order."
    )
    dice = random.Random(f"sheet 09 centroid {seed}")
    cases = [
        ("two labels in one place", {"b": [[1, 1]], "a": [[1, 1]]}, [5, 5]),
        (
            "a label of one row beside one of many",
            {"many": [[0, 0]] * 9 + [[10, 0]], "one": [[3, 0]]},
            [1.4, 0],
        ),
        ("a mean between whole numbers", {"low": [[0], [1]], "high": [[2]]}, [1.2]),
        ("a near row of a far label", {"wide": [[0, 0], [20, 0]], "narrow": [[4, 0], [6, 0]]}, [0, 0]),
        ("one column far off", {"far": [[9, 0, 0, 0]], "near": [[3, 3, 3, 3]]}, [0, 0, 0, 0]),
    ]
    for number in range(30):
        width = dice.randrange(1, 6)
        places = {
            label: [dice.randrange(-20, 20) for _ in range(width)] for label in ["spam", "eggs", "tea", "ham"]
        }
        known = {
            label: [[one + dice.randrange(-9, 10) for one in place] for _ in range(dice.randrange(1, 6))]
            for label, place in places.items()
        }
        cases.append((f"made-up rows {number}", known, [dice.randrange(-20, 20) for _ in range(width)]))
    for name, known, asked in cases:
        given = f"{name}: {sum(map(len, known.values()))} rows of {', '.join(known)}"
        student.expect(
            "nearest_centroid", known, asked, right=_nearest(known, asked), given=given, rules={"": rule}
        )


def _nearest(known, asked) -> str:
    distances = []
    for label, rows in known.items():
        centroid = [sum(map(Fraction, column)) / len(rows) for column in zip(*rows, strict=True)]
        distances.append(
            (sum((Fraction(one) - mean) ** 2 for one, mean in zip(asked, centroid, strict=True)), label)
        )
    return min(distances)[1]


@task("cost_of_padding")
def test_cost_of_padding(student, seed):
    rule = (
        "The content and its type, size + 1 bytes, are filled up to the next multiple of the block, or stay if they are one, "
        "and to 16,385 bytes at most; the difference is the cost, and these sums are what is seen (RFC 8446 section 5.4)."
    )
    dice = random.Random(f"sheet 09 padding {seed}")
    lines = [one - OVERHEAD for one in _lengths(shipped(TLS13))]
    cases = [("the lines of captures/chat/tls13.pcapng", lines, block) for block in (1, 16, 128, 256, 20_000)]
    cases += [("no message", [], 64), ("empty messages", [0, 0], 32), ("full blocks", [63, 127, 63, 64], 64)]
    cases += [("long messages", [16_384, 16_383, 16_000, 12_287], 4096)]
    for number in range(20):
        block = dice.choice((1, 2, 7, 32, 256, 1000))
        sizes = [
            dice.choice((dice.randrange(400), block - 1, 2 * block)) for _ in range(dice.randrange(1, 30))
        ]
        cases.append((f"made-up messages {number}", sizes, block))
    for name, sizes, block in cases:
        sums = [min(size + 1 + (-size - 1) % block, MOST) for size in sizes]
        right = (sum(sums) - sum(sizes) - len(sizes), len(set(sums)))
        given = f"{name}, in blocks of {block}"
        student.expect("cost_of_padding", sizes, block, right=right, given=given, rules={"": rule})


def _lengths(case) -> list[int]:
    sides = [flow.from_initiator for flow in case.flows]
    return [
        one.length for side in sides for one in read_records(side) if one.content_type == APPLICATION_DATA
    ]
