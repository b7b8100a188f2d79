"""Sheet 05 with struct and Counter."""

import struct
from collections import Counter


def parse_records(stream):
    out = []
    while len(stream) >= 5:
        kind, version, length = struct.unpack("!BHH", stream[:5])
        fragment, rest = stream[5 : 5 + length], stream[5 + length :]
        if len(fragment) < length:
            return out
        out.append(dict(type=kind, version=version, length=length, fragment=fragment))
        stream = rest
    return out


def infer_lengths(records, version):
    out = []
    for kind, length in records:
        if kind != 23:
            continue
        if version == "TLS 1.3":
            out.append(length - 17)
        else:
            out.append(length - 24)
    return out


def exposure(payloads, said):
    names = {}
    claimed = Counter()
    for connection, data in payloads:
        text = str(data, "utf-8", "replace")
        if connection not in names:
            names[connection] = text
            continue
        if text[:1] == "!":
            continue
        claimed[(names[connection], text)] += 1
    truth = Counter(map(tuple, said))
    right = sum((claimed & truth).values())
    total = sum(truth.values())
    return {"right": right, "wrong": sum((claimed - truth).values()), "total": total, "share": right / max(total, 1)}


def find_finished(records, version):
    kinds = [kind for kind, _ in records]
    if version == "TLS 1.2":
        place = kinds.index(20) + 1 if 20 in kinds else len(kinds)
        return place if kinds[place : place + 1] == [22] else None
    if 23 in kinds and records[kinds.index(23)][1] - 21 in {32, 48}:
        return kinds.index(23)
