"""Sheet 06 as a receiver does it: what fits is taken, what comes early waits."""


def reassemble(segments):
    base = (segments[0]["seq"] + 1) % 2**32
    pieces = []
    for place, one in enumerate(segments):
        if one["payload"] and "SYN" not in one["flags"]:
            pieces.append(((one["seq"] - base) % 2**32, place, one["payload"]))
    taken = []  # (start, bytes), none of them overlapping
    for start, _, payload in pieces:
        free = [(start, payload)]
        for old_start, old in taken:
            rest = []
            for piece_start, piece in free:
                piece_end, old_end = piece_start + len(piece), old_start + len(old)
                if piece_end <= old_start or piece_start >= old_end:
                    rest.append((piece_start, piece))
                    continue
                if piece_start < old_start:
                    rest.append((piece_start, piece[: old_start - piece_start]))
                if piece_end > old_end:
                    rest.append((old_end, piece[old_end - piece_start :]))
            free = rest
        taken.extend(free)
    data, gaps, position = b"", [], 0
    for start, piece in sorted(taken):
        if start > position:
            gaps.append([len(data), start - position])
        data += piece
        position = start + len(piece)
    return {"data": data, "gaps": gaps}


def find_retransmissions(segments):
    covered = {}
    first = {}
    result = []
    for one in segments:
        who = one["source"]
        if "SYN" in one["flags"]:
            first[who] = one["seq"]
            covered[who] = []
        if not one["payload"]:
            continue
        start = (one["seq"] - first[who]) & 0xFFFFFFFF
        numbers = range(start, start + len(one["payload"]))
        if all(any(a <= n < b for a, b in covered[who]) for n in numbers):
            result.append(one["frame"])
        covered[who].append((numbers.start, numbers.stop))
    return result
