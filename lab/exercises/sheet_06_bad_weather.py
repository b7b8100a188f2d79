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
    raise NotImplementedError("reassemble")


def find_retransmissions(segments):
    """The frame numbers of all segments that bring nothing but bytes which the recording has already shown.

    ``segments`` are all of one connection, both directions, in the order of the recording, beginning with the SYNs.
    Only segments with payload count; a late one that fills a hole brings something new, and so does one that goes on
    behind the old bytes.

    Time: 25 minutes. Source: RFC 9293 section 3.8.1. Notebook: 06_bad_weather.
    """
    # Question: out of order or sent again? Can an observer always tell?
    raise NotImplementedError("find_retransmissions")
