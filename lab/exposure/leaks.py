"""How many bits lengths, times and byte values reveal; for lengths and times with a confidence interval.

**Lengths.** What an observer sees of a message is a length, and a message has only one length, so the information that
the length reveals about the message is the entropy of the lengths (in bits; Shannon 1948): 0 where all look the same. It is
estimated from the lengths seen: the plug-in entropy and Miller's and Madow's correction for its bias, (k - 1) / 2n nats for
k different lengths among n messages (Miller 1955). From n messages never more than log2(n) bits can be shown.

**Times.** A message could have been sent at any moment of a session of T seconds. An observer knows its time up to an
error; taken as normal with the measured spread s, that is log2(T) - log2(s sqrt(2 pi e)) bits a message.

**Few messages.** Where many lengths were seen once, more would have been seen in a longer conversation, and no estimate
can say how many: then ``low`` is a lower bound, and no upper bound is claimed (``at_least``).

The intervals are the middle 95 % of the estimates from ``DRAWS`` bootstrap samples (Efron 1979), drawn with a fixed seed.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

DRAWS = 1000
TIMES_EACH = 5  # how often each length must have been seen, on average, before an upper bound is claimed
SMALLEST_SPREAD_S = 1e-6  # captures have times in microseconds
BYTE_VALUES = 256

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Leak:
    """Bits a message, with the 95 % interval ``low`` to ``high``, from ``count`` messages."""

    bits: float
    low: float
    high: float
    count: int
    at_least: bool = False  # too few messages for an upper bound

    def __str__(self) -> str:
        if self.at_least:
            return (
                f"at least {self.low:.1f} bits a message (n = {self.count} are too few to say how much more)"
            )
        return f"{self.bits:.1f} bits a message (95 %: {self.low:.1f} to {self.high:.1f}; n = {self.count})"


def length_leak(lengths: Sequence[Hashable], seed: float = 0) -> Leak:
    """Return what the observed lengths (or numbers of blocks) reveal about the messages."""
    leak = _with_interval(lengths, entropy_bits, seed)
    return replace(leak, at_least=len(set(lengths)) > len(lengths) / TIMES_EACH)


def entropy_bits(values: Sequence[Hashable]) -> float:
    """Return the entropy of a sample in bits, Miller-Madow corrected, and at most log2(n)."""
    if not values:
        return 0.0
    count = len(values)
    correction = (len(set(values)) - 1) / (2 * count * math.log(2))
    return min(_plug_in_bits(values) + correction, math.log2(count))


def _plug_in_bits(values: Sequence[Hashable]) -> float:
    shares = [times / len(values) for times in Counter(values).values()]
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

    return _with_interval(errors_s, bits, seed)


def _with_interval(
    values: Sequence[Value], estimate: Callable[[Sequence[Value]], float], seed: float
) -> Leak:
    dice = random.Random(seed)
    draws = sorted(estimate(dice.choices(values, k=len(values))) for _ in range(DRAWS)) if values else [0.0]
    low, high = draws[int(0.025 * len(draws))], draws[max(0, int(0.975 * len(draws)) - 1)]
    bits = estimate(values)
    return Leak(bits, min(low, bits), max(high, bits), len(values))


def byte_entropy_bits(data: bytes) -> float:
    """Return the plug-in entropy of byte values, in bits a byte, 0 to 8. 0 for no bytes."""
    return _plug_in_bits(data)


def random_entropy_bits(count: int) -> float:
    """Return the plug-in entropy that ``count`` random bytes show on average, in bits a byte.

    256 times the mean of -(k/n) log2(k/n), where k, how often one value occurs, is binomial with n = ``count`` and
    p = 1/256.
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
