"""Sheet 09, by somebody who reaches for the standard library."""

import struct
from collections import Counter
from statistics import fmean


def keystroke_intervals(records):
    own = [record for record in records if record[2] < 0]
    counts = Counter(record[1] for record in own)
    if not counts:
        return []
    most = max(counts.values())
    notice = min(size for size, count in counts.items() if count == most)
    times = [record[0] for record in own if record[1] == notice]
    return [times[i] - times[i - 1] for i in range(1, len(times))]


def record_sizes(stream):
    found, rest = [], memoryview(stream)
    while len(rest) >= 5:
        kind, _, length = struct.unpack(">BHH", rest[:5])
        if len(rest) < 5 + length:
            break
        rest = rest[5 + length :]
        if kind == 23:
            found.append(length - 16 - 1)
    return found


def nearest_centroid(known, asked):
    best = None
    for label, rows in known.items():
        means = list(map(fmean, zip(*rows)))
        far = round(sum((a - b) ** 2 for a, b in zip(means, asked)), 9)
        if best is None or (far, label) < best:
            best = (far, label)
    return best[1]


def cost_of_padding(sizes, block):
    plain = [size + 1 for size in sizes]
    padded = [min(one + (-one) % block, 2**14 + 1) for one in plain]
    return sum(padded) - sum(plain), len(set(padded))
