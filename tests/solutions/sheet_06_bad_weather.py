"""Sheet 06: segments get lost, come twice, overlap and overtake each other; the receiver sorts it out.

Notebook: 06_bad_weather. A segment is a dict with "frame", "source", "destination", "seq", "flags" (a set of names)
and "payload" (bytes).
"""


def reassemble(segments):
    """Put one direction of a connection back together: a dict with "data" (bytes) and "gaps" (a list of pairs).

    ``segments`` are those of one direction in the order in which they were recorded, beginning with its SYN. What was
    received first stays: a later segment adds only bytes that are new. Sequence numbers wrap around. What was never
    recorded is not made up: "data" goes on without it, and "gaps" holds (offset, length) for each hole: where in
    "data" the missing bytes would stand, and how many there are.

    Time: 45 minutes. Source: RFC 9293 section 3.10.7.4. Notebook: 06_bad_weather.
    """
    # Question: two segments claim the same byte with different values. Whom does a receiver believe, and who could
    # profit?
    # solution:
    start = segments[0]["seq"]
    stream = {}
    for segment in segments:
        first = (segment["seq"] - start - 1) % 2**32 if "SYN" not in segment["flags"] else 0
        for place, byte in enumerate(segment["payload"]):
            stream.setdefault(first + place, byte)
    data, gaps, expected = bytearray(), [], 0
    for place in sorted(stream):
        if place > expected:
            gaps.append((len(data), place - expected))
        data.append(stream[place])
        expected = place + 1
    return {"data": bytes(data), "gaps": gaps}
    # :solution


def find_retransmissions(segments):
    """The frame numbers of all segments that bring nothing but bytes which the recording has already shown.

    ``segments`` are all of one connection, both directions, in the order of the recording, beginning with the SYNs.
    Only segments with payload count; a late one that fills a hole brings something new, and so does one that goes on
    behind the old bytes.

    Time: 25 minutes. Source: RFC 9293 section 3.8.1. Notebook: 06_bad_weather.
    """
    # Question: out of order or sent again? Can an observer always tell?
    # solution:
    start, seen, found = {}, {}, []
    for segment in segments:
        side = segment["source"]
        if "SYN" in segment["flags"]:
            start[side] = segment["seq"]
        first = (segment["seq"] - start[side]) % 2**32
        brought = set(range(first, first + len(segment["payload"])))
        if brought and brought <= seen.setdefault(side, set()):
            found.append(segment["frame"])
        seen.setdefault(side, set()).update(brought)
    return found
    # :solution
