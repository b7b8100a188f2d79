"""How often the 95 % interval of the length leak holds the truth: ``python -m tests.bench.leaks [REPETITIONS]``.

Known sources, drawn again and again: 16 lengths alike, one length of two far more frequent, and 60 lengths each a tenth
rarer than the one before. Where only a lower end is claimed (``at_least``) it alone must be right.
"""

import math
import random
import sys

from lab.exposure import length_leak

SOURCES = {
    "uniform over 16": [1 / 16] * 16,
    "97/3": [0.97, 0.03],
    "geometric, 60": [0.9**k * 0.1 / (1 - 0.9**60) for k in range(60)],
}
COUNTS = (18, 40, 100, 400)


def coverage(shares: list[float], count: int, repetitions: int) -> float:
    """Return the share of ``repetitions`` samples of ``count`` whose interval holds the source's entropy."""
    true_bits = -sum(share * math.log2(share) for share in shares)
    dice, held = random.Random(count), 0
    for repetition in range(repetitions):
        leak = length_leak(dice.choices(range(len(shares)), shares, k=count), seed=repetition)
        held += leak.low <= true_bits <= leak.high
    return held / repetitions


def main(arguments: list[str]) -> int:
    repetitions = int(arguments[0]) if arguments else 200
    print(f"{'':<16}" + "".join(f"{f'n = {count}':>9}" for count in COUNTS))
    least = 1.0
    for name, shares in SOURCES.items():
        held = [coverage(shares, count, repetitions) for count in COUNTS]
        print(f"{name:<16}" + "".join(f"{share:>9.3f}" for share in held), flush=True)
        least = min(least, *held)
    print(f"least: {least:.3f} (of 95 %; at least 0.9 is asked for)")
    return 0 if least >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
