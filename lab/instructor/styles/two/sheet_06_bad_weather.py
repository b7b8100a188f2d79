"""Sheet 06 with one big array of "not there yet"."""


def offset(one, base):
    return (one["seq"] - base) % 4294967296


def reassemble(segments):
    base = segments[0]["seq"] + 1
    segments = [one for one in segments if one["payload"]]
    size = max((offset(one, base) + len(one["payload"]) for one in segments), default=0)
    there = [None] * size
    for one in segments:
        at = offset(one, base)
        for byte in one["payload"]:
            if there[at] is None:
                there[at] = byte
            at += 1
    data = bytearray()
    gaps = []
    missing = 0
    for byte in there:
        if byte is None:
            missing += 1
            continue
        if missing:
            gaps.append((len(data), missing))
            missing = 0
        data.append(byte)
    return {"gaps": gaps, "data": data}


def find_retransmissions(segments):
    seen = set()
    frames = []
    for one in segments:
        keys = {(one["source"], (one["seq"] + i) % 2**32) for i in range(len(one["payload"]))}
        if keys and not keys - seen:
            frames.append(one["frame"])
        seen |= keys
    return frames
