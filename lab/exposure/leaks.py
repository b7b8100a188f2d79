"""How many bits lengths and times give away, with a confidence interval.

**Lengths.** What an observer sees of a message is a length, and a message has one length only, so the information that
the length gives about the message is the entropy of the lengths (in bits; Shannon 1948): 0 where all look the same. It is
estimated from the lengths seen: the plug-in entropy and Miller's and Madow's correction for its bias, (k - 1) / 2n nats for
k different lengths among n messages (Miller 1955). From n messages never more than log2(n) bits can be shown.

**Times.** A message could have been sent at any moment of a session of T seconds. Seen from outside, its time is known up
to an error; taken as normal with the spread s that is measured, that is log2(T) - log2(s sqrt(2 pi e)) bits a message.

**Few messages.** Where many lengths were seen once, more would have turned up in a longer conversation, and no estimate can
say how many: then ``low`` is a lower bound and nothing is said of an upper one (``at_least``).

The intervals are the middle 95 % of the estimates from ``DRAWS`` bootstrap samples (Efron 1979), drawn with a fixed seed.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

DRAWS = 1000
TIMES_EACH = 5  # how often each length must have been seen, on average, before an upper end is believed
SMALLEST_SPREAD_S = 1e-6  # captures give times in microseconds


@dataclass(frozen=True)
class Leak:
    """Bits a message, with the 95 % interval ``low`` to ``high``, from ``count`` messages."""

    bits: float
    low: float
    high: float
    count: int
    at_least: bool = False  # too few messages for an upper end

    def __str__(self) -> str:
        if self.at_least:
            return (
                f"at least {self.low:.1f} bits a message (n = {self.count} are too few to say how much more)"
            )
        return f"{self.bits:.1f} bits a message (95 %: {self.low:.1f} to {self.high:.1f}; n = {self.count})"


def length_leak(lengths: Sequence[Hashable], seed: int = 0) -> Leak:
    """What the observed lengths (or numbers of blocks) give away of the messages."""
    leak = _with_interval(lengths, entropy_bits, seed)
    return replace(leak, at_least=len(set(lengths)) > len(lengths) / TIMES_EACH)


def entropy_bits(values: Sequence[Hashable]) -> float:
    """The entropy of a sample in bits, Miller-Madow corrected, and at the most log2(n)."""
    if not values:
        return 0.0
    count, times = len(values), Counter(values)
    plug_in = -sum(n / count * math.log2(n / count) for n in times.values())
    return min(plug_in + (len(times) - 1) / (2 * count * math.log(2)), math.log2(count))


def time_leak(seen_ns: Sequence[int], sent_ns: Sequence[int], seed: int = 0) -> Leak:
    """What the observed times give away; ``sent_ns`` is the truth, both in order. At least two messages."""
    span_s = (max(sent_ns) - min(sent_ns)) / 1e9
    errors_s = [(seen - sent) / 1e9 for seen, sent in zip(seen_ns, sent_ns, strict=True)]

    def bits(errors: Sequence[float]) -> float:
        mean = sum(errors) / len(errors)
        spread_s = max(math.sqrt(sum((e - mean) ** 2 for e in errors) / len(errors)), SMALLEST_SPREAD_S)
        return max(
            0.0, math.log2(max(span_s, SMALLEST_SPREAD_S) / (spread_s * math.sqrt(2 * math.pi * math.e)))
        )

    return _with_interval(errors_s, bits, seed)


def _with_interval(values: Sequence, estimate: Callable[[Sequence], float], seed: int) -> Leak:
    dice = random.Random(seed)
    draws = sorted(estimate(dice.choices(values, k=len(values))) for _ in range(DRAWS)) if values else [0.0]
    low, high = draws[int(0.025 * len(draws))], draws[int(0.975 * len(draws)) - (len(draws) > 1)]
    bits = estimate(values)
    return Leak(bits, min(low, bits), max(high, bits), len(values))
