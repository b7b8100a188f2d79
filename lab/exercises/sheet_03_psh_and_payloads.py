"""Sheet 03: what the numbers of a trace tell, and what the payloads say.

Notebook: 03_psh_and_payloads. A segment is a dict with "frame", "time_us" (microseconds since the first one),
"source" and "destination" (like "10.27.27.206:56228"), "seq", "ack", "flags" (a set of names) and "payload" (bytes).
"""


def relative_numbers(segments):
    """The (relative seq, relative ack) of each segment, as Wireshark shows them: a list of pairs.

    Counted from the initial sequence number of the side that the number belongs to, which its SYN names; modulo
    2**32. A segment without the ACK flag has the relative ack 0. Several connections may be recorded at once; each
    one's SYNs are there.

    Time: 20 minutes. Source: RFC 9293 section 3.4. Notebook: 03_psh_and_payloads.
    """
    # Question: frame 1193 of the report has seq 106 and ack 52. Whose bytes does each of them count?
    raise NotImplementedError("relative_numbers")


def round_trip_times(segments, host):
    """Round trips as the recording at ``host`` (an "address:port") shows them: a list of (frame, microseconds).

    One for each segment with payload that ``host`` sent, in their order: the time until the first ACK of the other
    side whose number covers the segment's last byte. No value for a segment that was sent more than once (nobody
    knows which one was acknowledged), and none for one that was never acknowledged. One connection only.

    Time: 30 minutes. Source: RFC 6298 section 3, RFC 9293 section 3.4. Notebook: 03_psh_and_payloads.
    """
    # Question: one ACK may acknowledge several segments. What does "covers" mean when the numbers wrap around?
    raise NotImplementedError("round_trip_times")


def decode_report(reads):
    """What a client said on the report wire: a list of tuples, one for each of ``reads`` (bytes, one read of the
    server's each).

    ("name", NAME) for the first read of the connection, whatever it is; then ("announce",) for !ShowUserHasConnected,
    ("list",) for !GetAllActiveUsers, ("leave",) for !Exit, each exactly so; anything else is ("say", TEXT). Text is
    UTF-8; a byte that is no UTF-8 becomes U+FFFD.

    Time: 15 minutes. Source: RFC 3629 section 3. Notebook: 03_psh_and_payloads.
    """
    # Question: what would this give if two quick sends arrived as one read?
    raise NotImplementedError("decode_report")
