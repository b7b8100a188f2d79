"""How many bits lengths, times, byte values and guesses reveal; all but byte values with a 95 % interval.

**Lengths.** What an observer sees of a message is a length, and a message has only one length, so the information that
the length reveals about the message is the entropy of the lengths (in bits; Shannon 1948): 0 where all look the same. From n
messages the entropy of the lengths *seen* is too low, since rare lengths were missed. How many were missed shows in how
many were seen once and twice (Good and Turing); Chao, Wang and Jost 2013 estimate the entropy from that.

The interval comes from ``DRAWS`` samples of n messages out of a source with the estimated share of unseen lengths: the
estimate and ``SPREADS`` of their standard deviations to each side, and upwards also what they fall short by on average. For
the sources in ``tests/bench/leaks.py`` it holds the truth at least nine times in ten. Two kinds of samples say less. *All
lengths alike*: 0 bits were seen, but one conversation in twenty would also miss a second length with a share of
1 - 0.05 ** (1 / n); ``high`` is the entropy with that one. *All lengths different*: log2(n) bits are a property of n and not
of the chat, so they are claimed as the lower end alone (``at_least``).

**Times.** A message could have been sent at any moment of a session of T seconds. An observer knows its time up to an
error; taken as normal with the measured spread s, that is log2(T) - log2(s sqrt(2 pi e)) bits a message. Its interval is
the middle 95 % of the estimates from bootstrap samples (Efron 1979). All samples are drawn with a fixed seed.

**Guesses.** If a truth is guessed better than by chance, the guess holds bits of it: their mutual information, the entropies
of truth and guess less that of both together. Each of the three is estimated as above, since the shares that were seen
would show 0.7 bits in 150 blind guesses at one of 12. The interval is ``GUESS_SPREADS`` to each side, from bootstrap samples
in which as many pairs as were seen only once are new ones: a truth, with the guess of another conversation.
"""

import math
import random
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import mean, pstdev

import numpy as np

DRAWS = 200
TIME_DRAWS = 1000
SPREADS = 2.5  # chosen with tests/bench/leaks.py: two would hold the truth too seldom
GUESS_SPREADS = 3.5  # chosen with tests/exposure/test_experiment.py: holds the truth nine times in ten
SMALLEST_SPREAD_S = 1e-6  # captures have times in microseconds
BYTE_VALUES = 256


@dataclass(frozen=True)
class Leak:
    """Bits a message (or other ``unit``), with the 95 % interval ``low`` to ``high``, from ``count`` of them."""

    bits: float
    low: float
    high: float  # infinite if ``at_least``
    count: int
    at_least: bool = False  # too few messages for an upper bound
    unit: str = "message"

    def __str__(self) -> str:
        each, sample = f"bits a {self.unit}", f"n = {self.count}"
        if self.count < 2:
            return f"too few {self.unit}s to say how much ({sample})"
        if self.at_least:
            return f"at least {self.low:.1f} {each} (all {self.count} differ: they cannot show more)"
        if not self.bits:
            return f"0.0 {each} seen; up to {self.high:.1f} may have been missed (95 %; {sample})"
        return f"{self.bits:.1f} {each} (95 %: {self.low:.1f} to {self.high:.1f}; {sample})"


def length_leak(lengths: Sequence[Hashable], seed: float = 0) -> Leak:
    """Return what the observed lengths (or numbers of blocks) reveal about the messages."""
    count, seen = len(lengths), sorted(Counter(lengths).values())
    if len(seen) == count:
        bits = math.log2(max(1, count))
        return Leak(bits, bits, math.inf, count, at_least=True)
    if len(seen) == 1:
        missed = 1 - 0.05 ** (1 / count)
        return Leak(0.0, 0.0, _bits_of([missed, 1 - missed]) if missed < 0.5 else 1.0, count)
    bits, shares = entropy_bits(seen), _source(seen)
    dice, kinds = random.Random(seed), range(len(shares))
    draws = [entropy_bits(Counter(dice.choices(kinds, shares, k=count)).values()) for _ in range(DRAWS)]
    spread, shortfall = SPREADS * pstdev(draws), max(0.0, _bits_of(shares) - mean(draws))
    return Leak(bits, max(0.0, bits - spread), bits + spread + shortfall, count)


def entropy_bits(seen: Collection[int]) -> float:
    """Return the entropy in bits of the source of a sample, by how often each value was seen in it.

    Chao, Wang and Jost 2013: an unbiased part for the values that were seen, and an estimate for those that were not.
    """
    count, singles = sum(seen), sum(times == 1 for times in seen)
    if count < 2:
        return 0.0
    harmonic = [0.0, *accumulate(1 / k for k in range(1, count))]
    nats = sum(times / count * (harmonic[-1] - harmonic[times - 1]) for times in seen)
    if singles:
        nats += singles / count * _unseen_nats(count, 1 - _new_share(seen))
    return nats / math.log(2)


def _unseen_nats(count: int, rest: float) -> float:
    """Return the sum over r from ``count`` on of rest ** (r - count + 1) / r, without cancellation."""
    power = rest ** (count - 1)
    if power > 1e-6:
        return (-math.log1p(-rest) - sum(rest**r / r for r in range(1, count))) / power
    return sum(rest ** (r - count + 1) / r for r in range(count, 5 * count))


def _new_share(seen: Collection[int]) -> float:
    """Return the estimated mean share of the values seen once (``A`` in the paper), 0 to 1; some were seen once."""
    count, singles, pairs = sum(seen), sum(times == 1 for times in seen), sum(times == 2 for times in seen)
    if pairs:
        return 2 * pairs / ((count - 1) * singles + 2 * pairs)
    return 2 / ((count - 1) * (singles - 1) + 2)


def _source(seen: Collection[int]) -> list[float]:
    """Return the shares of a source that such a sample may come from: seen values made rarer, unseen ones added."""
    count, singles, pairs = sum(seen), sum(times == 1 for times in seen), sum(times == 2 for times in seen)
    shares = [times / count for times in seen]
    if not singles:
        return shares
    unseen = singles * singles / (2 * pairs) if pairs else singles * (singles - 1) / 2
    kinds = math.ceil(unseen * (count - 1) / count)
    missed = singles / count * (1 - _new_share(seen))
    if not kinds or not missed:
        return shares
    chances = [share * (1 - share) ** count for share in shares]  # that a value of this share is missed
    known = [share - missed * chance / sum(chances) for share, chance in zip(shares, chances, strict=True)]
    return known + kinds * [missed / kinds]


def _bits_of(shares: Sequence[float]) -> float:
    return -sum(share * math.log2(share) for share in shares) + 0.0  # (never -0.0)


def time_leak(seen_ns: Sequence[int], sent_ns: Sequence[int], seed: float = 0) -> Leak:
    """Return what the observed times reveal; ``sent_ns`` is the truth, both in order. At least two messages."""
    span_s = (max(sent_ns) - min(sent_ns)) / 1e9
    errors_s = [(seen - sent) / 1e9 for seen, sent in zip(seen_ns, sent_ns, strict=True)]

    def bits(errors: Sequence[float]) -> float:
        mean = sum(errors) / len(errors)
        spread_s = max(math.sqrt(sum((e - mean) ** 2 for e in errors) / len(errors)), SMALLEST_SPREAD_S)
        entropy_of_error = math.log2(spread_s * math.sqrt(2 * math.pi * math.e))
        return max(0.0, math.log2(max(span_s, SMALLEST_SPREAD_S)) - entropy_of_error)

    dice, best = random.Random(seed), bits(errors_s)
    draws = sorted(bits(dice.choices(errors_s, k=len(errors_s))) for _ in range(TIME_DRAWS))
    low, high = draws[TIME_DRAWS // 40], draws[-TIME_DRAWS // 40]
    return Leak(best, min(low, best), max(high, best), len(errors_s))


def guess_leak(truths: Sequence[Hashable], guesses: Sequence[Hashable], seed: float = 0) -> Leak:
    """Return the mutual information of the truth and the guess for each of many conversations, at least one."""
    pairs, dice = list(zip(truths, guesses, strict=True)), random.Random(seed)

    def bits(drawn: Sequence[tuple[Hashable, Hashable]]) -> float:
        alone = sum(entropy_bits(Counter(column).values()) for column in zip(*drawn, strict=True))
        return alone - entropy_bits(Counter(drawn).values())

    most = math.log2(len(set(truths)))
    best = min(max(0.0, bits(pairs)), most)
    new = sum(times == 1 for times in Counter(pairs).values()) / len(pairs)

    def draw() -> list[tuple[Hashable, Hashable]]:
        drawn = dice.choices(pairs, k=len(pairs))
        return [(one[0], dice.choice(guesses)) if dice.random() < new else one for one in drawn]

    spread = GUESS_SPREADS * pstdev(bits(draw()) for _ in range(DRAWS))
    low, high = max(0.0, best - spread), min(best + spread, most)
    return Leak(best, low, high, len(pairs), unit="conversation")


def byte_entropy_bits(data: bytes) -> float:
    """Return the plug-in entropy of byte values, in bits a byte, 0 to 8. 0 for no bytes."""
    return _bits_of([times / len(data) for times in Counter(data).values()])


def random_entropy_bits(count: int) -> float:
    """Return the plug-in entropy that ``count`` random bytes show on average, in bits a byte.

    256 times the mean of -(k/n) log2(k/n), where k, the count of one value, is binomial with n = ``count``, p = 1/256.
    """
    if count < 1:
        return 0.0
    mean = count / BYTE_VALUES
    most = min(count, int(mean + 12 * math.sqrt(mean) + 40))  # beyond, the rest weighs nothing
    times = np.arange(most + 1)
    # log of the binomial probabilities, each from the one before it
    steps = np.log((count - times[:-1]) / (times[:-1] + 1)) - math.log(BYTE_VALUES - 1)
    chances = np.exp(count * math.log1p(-1 / BYTE_VALUES) + np.concatenate([[0.0], np.cumsum(steps)]))
    share = times[1:] / count
    return float(-BYTE_VALUES * np.sum(chances[1:] * share * np.log2(share)))
