"""Sheet 06: segments get lost, arrive twice, overlap and overtake each other; the receiver sorts it out.

Notebook: 06_bad_weather. A segment is a dict with "frame", "source", "destination", "seq", "flags" (a set of
names) and "payload" (bytes).
"""


def reassemble(segments):
    """Reassemble one direction of a connection into a dict of "data" (bytes) and "gaps" (a list of pairs).

    ``segments`` are those of one direction in the order in which they were recorded, beginning with its SYN.
    The bytes received first are kept: a later segment adds only new ones. Sequence numbers wrap around. Never
    make up what was not recorded: "data" continues after a hole, and "gaps" holds (offset, length) for each
    hole: where in "data" the missing bytes belong, and how many there are. Only payload that follows shows a
    hole: none is reported at the end.

    Time: 45 minutes. Source: RFC 9293 section 3.10.7.4. Notebook: 06_bad_weather.
    """
    # Question: two segments claim the same byte with different values. Which one does a receiver believe, and who
    # could profit from that?
    raise NotImplementedError("reassemble")


def find_retransmissions(segments):
    """Return the frame numbers of all segments whose sequence numbers the recording has already shown.

    ``segments`` are all segments of one connection, in both directions, in the order of the recording,
    beginning with the SYNs. Only segments with payload count, and of these every byte's number must have been
    shown; numbers wrap around. A late segment that fills a hole brings new bytes, and so does one that
    continues past the old ones.

    Time: 25 minutes. Source: RFC 9293 section 3.8.1. Notebook: 06_bad_weather.
    """
    # Question: reordered or retransmitted? Can an observer always distinguish the two?
    raise NotImplementedError("find_retransmissions")
