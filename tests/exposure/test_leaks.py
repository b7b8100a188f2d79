"""The estimates of what lengths, times and byte values reveal, against sources that are known."""

import math
import random
from collections import Counter
from decimal import Decimal, localcontext
from fractions import Fraction
from statistics import mean

import pytest

from lab.exposure.leaks import (
    byte_entropy_bits,
    entropy_bits,
    length_leak,
    random_entropy_bits,
    time_leak,
)
from tests.bench.leaks import SOURCES, coverage


def test_entropy_of_what_is_known():
    assert entropy_bits([]) == entropy_bits([1]) == entropy_bits([50]) == 0
    assert entropy_bits([500, 500]) == pytest.approx(1, abs=0.01)
    assert entropy_bits([200] * 8) == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("seen", [[1, 1, 5], [1, 2, 2], [1, 17], [1] * 39 + [2], [1, 1, 2, 300]])
def test_the_estimate_for_what_was_not_seen_is_the_papers(seen):
    """Equation by equation, in exact fractions where the sum cancels."""
    n, singles, pairs = sum(seen), seen.count(1), seen.count(2)
    share = (
        Fraction(2 * pairs, (n - 1) * singles + 2 * pairs)
        if pairs
        else Fraction(2, (n - 1) * (singles - 1) + 2)
    )
    nats = sum(x / n * sum(1 / k for k in range(x, n)) for x in seen)
    if share < 1:
        with localcontext() as context:
            context.prec = 2000
            rest = 1 - Decimal(share.numerator) / share.denominator
            tail = -(1 - rest).ln() - sum(rest**r / r for r in range(1, n))
            nats += singles / n * float(tail / rest ** (n - 1))
    assert entropy_bits(seen) == pytest.approx(nats / math.log(2))


@pytest.mark.parametrize(
    ("source", "count"),
    [("uniform over 16", 40), ("97/3", 18), ("geometric, 60", 40), ("geometric, 60", 100)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(source, count):
    """The whole table is ``python -m tests.bench.leaks``."""
    assert coverage(SOURCES[source], count, 60) >= 0.9


def test_the_entropy_of_the_lengths_seen_alone_would_be_too_low():
    dice, draws = random.Random(3), []
    for _ in range(50):
        seen = Counter(dice.choices(range(16), k=18)).values()
        draws.append(
            (
                entropy_bits(seen),
                byte_entropy_bits(bytes(value for value, n in enumerate(seen) for _ in range(n))),
            )
        )
    estimates, plug_ins = zip(*draws, strict=True)
    assert abs(mean(estimates) - 4) < 0.15 < 4 - mean(plug_ins)


def test_lengths_that_are_all_alike_leave_room_for_another():
    leak = length_leak([128] * 20)
    assert leak.bits == leak.low == 0 and leak.high == pytest.approx(0.58, abs=0.01)
    assert str(leak) == "0.0 bits a message seen; up to 0.6 may have been missed (95 %; n = 20)"
    assert length_leak([128] * 2).high == 1
    assert length_leak([128] * 2000).high < 0.02


def test_lengths_that_all_differ_show_how_many_there_are_and_no_more():
    leak = length_leak(range(16))
    assert leak.at_least and leak.low == leak.bits == 4 and leak.high == math.inf
    assert str(leak) == "at least 4.0 bits a message (all 16 differ: they cannot show more)"
    assert not length_leak([*range(15), 0]).at_least


@pytest.mark.parametrize("lengths", [[], [7]])
def test_of_one_message_nothing_is_claimed(lengths):
    assert str(length_leak(lengths)) == f"too few messages to say how much (n = {len(lengths)})"


def test_a_clock_that_is_exactly_right_leaks_more_than_one_that_is_not():
    dice = random.Random(2)
    sent = [second * 1_000_000_000 for second in range(60)]
    sharp, blurred = ([time + round(dice.gauss(0, spread)) for time in sent] for spread in (1e6, 1e9))
    assert (
        time_leak(sharp, sent).bits > time_leak(blurred, sent).bits + 8
    )  # a thousand times sharper: ten bits


def test_entropy_of_bytes_that_are_known():
    assert byte_entropy_bits(b"") == byte_entropy_bits(b"aaaa") == 0
    assert byte_entropy_bits(b"ab" * 50) == pytest.approx(1)
    assert byte_entropy_bits(bytes(range(256)) * 3) == pytest.approx(8)


@pytest.mark.parametrize("count", [1, 2, 20, 177, 1000, 5000])
def test_the_entropy_of_few_random_bytes_is_that_of_a_simulation(count):
    dice = random.Random(count)
    draws = [byte_entropy_bits(dice.randbytes(count)) for _ in range(200)]
    assert random_entropy_bits(count) == pytest.approx(sum(draws) / len(draws), abs=0.02)


def test_the_entropy_of_many_random_bytes_is_eight_bits():
    assert random_entropy_bits(0) == 0
    assert 7.999 < random_entropy_bits(1_000_000) < 8
