"""Sheet 10 in expressions, and with classes of the standard library."""

from collections import defaultdict
from itertools import groupby


def in_window(seq, length, expected, window):
    ends = {seq} if length == 0 else {seq, seq + length - 1}
    if window == 0:
        return not length and ends == {expected}
    return any((end - expected) & 0xFFFFFFFF < window for end in ends)


def arp_conflicts(messages):
    claims = defaultdict(list)
    for m in messages:
        claims[m["address"]].append(m)
    claims.pop("0.0.0.0", None)
    pairs = [pair for of_one in claims.values() for pair in zip(of_one, of_one[1:])]
    return sorted(later["frame"] for earlier, later in pairs if earlier["mac"] != later["mac"])


def is_downgrade(first, second):
    asked, answered, said = (data.startswith(b"\x16\x03") for data in (first["sent"], first["received"], second["sent"]))
    ends = [(c["client"], c["server"]) for c in (first, second)]
    return ends[0] == ends[1] and (asked, answered, said) == (True, False, False) and second["sent"] != b""


def find_forged(segments):
    def host(segment):
        return segment["source"][: segment["source"].rindex(":")]

    wrong = []
    for _, group in groupby(sorted(segments, key=host), key=host):
        first, *rest = group
        wrong += [s["frame"] for s in rest if (s["mac"], s["ttl"]) != (first["mac"], first["ttl"])]
    return sorted(wrong)
