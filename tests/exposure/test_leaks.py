"""The estimates of what lengths, times and byte values reveal, against sources that are known."""

import math
import random

import pytest

from lab.exposure import length_leak, time_leak
from lab.exposure.leaks import byte_entropy_bits, entropy_bits, random_entropy_bits


def test_entropy_of_what_is_known():
    assert entropy_bits([]) == entropy_bits([7] * 50) == 0
    assert entropy_bits([0, 1] * 500) == pytest.approx(1, abs=0.01)
    assert entropy_bits(list(range(8)) * 200) == pytest.approx(3, abs=0.01)
    assert entropy_bits(range(16)) == 4  # never more than n messages can show


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        (3, 60),
        (8, 18),
        (40, 18),
        *(pytest.param(*one, marks=pytest.mark.maintainers) for one in ((4, 120), (20, 18), (20, 60))),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(kinds, count):
    """A known source, drawn a hundred times. Where there are too few messages, only a lower bound is claimed."""
    dice = random.Random(1)
    held = 0
    for _ in range(100):
        leak = length_leak(dice.choices(range(kinds), k=count), seed=dice.random())
        held += leak.low <= math.log2(kinds) + 1e-9 and (
            leak.at_least or math.log2(kinds) <= leak.high + 1e-9
        )
        assert leak.at_least == (str(leak).startswith("at least"))
    assert held >= 85


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
