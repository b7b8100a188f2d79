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
    # solution:
    first = {}
    pairs = []
    for segment in segments:
        ends = segment["source"], segment["destination"]
        if "SYN" in segment["flags"]:
            first[ends] = segment["seq"]
        relative_seq = (segment["seq"] - first[ends]) % 2**32
        relative_ack = (segment["ack"] - first[ends[::-1]]) % 2**32 if "ACK" in segment["flags"] else 0
        pairs.append((relative_seq, relative_ack))
    return pairs
    # :solution


def round_trip_times(segments, host):
    """Round trips as the recording at ``host`` (an "address:port") shows them: a list of (frame, microseconds).

    One for each segment with payload that ``host`` sent, in their order: the time until the first ACK of the other
    side whose number covers the segment's last byte. No value for a segment that was sent more than once (nobody
    knows which one was acknowledged), and none for one that was never acknowledged. One connection only.

    Time: 30 minutes. Source: RFC 6298 section 3, RFC 9293 section 3.4. Notebook: 03_psh_and_payloads.
    """
    # Question: one ACK may acknowledge several segments. What does "covers" mean when the numbers wrap around?
    # solution:
    mine = [one for one in segments if one["source"] == host and one["payload"]]
    times_sent = {}
    for one in mine:
        times_sent[one["seq"]] = times_sent.get(one["seq"], 0) + 1
    trips = []
    for one in mine:
        end = one["seq"] + len(one["payload"])
        if times_sent[one["seq"]] > 1:
            continue
        for other in segments:
            later = other["frame"] > one["frame"] and other["source"] == one["destination"]
            if later and "ACK" in other["flags"] and (other["ack"] - end) % 2**32 < 2**31:
                trips.append((one["frame"], other["time_us"] - one["time_us"]))
                break
    return trips
    # :solution


def decode_report(reads):
    """What a client said on the report wire: a list of tuples, one for each of ``reads`` (bytes, one read of the
    server's each).

    ("name", NAME) for the first read of the connection, whatever it is; then ("announce",) for !ShowUserHasConnected,
    ("list",) for !GetAllActiveUsers, ("leave",) for !Exit, each exactly so; anything else is ("say", TEXT). Text is
    UTF-8; a byte that is no UTF-8 becomes U+FFFD.

    Time: 15 minutes. Source: RFC 3629 section 3. Notebook: 03_psh_and_payloads.
    """
    # Question: what would this give if two quick sends arrived as one read?
    # solution:
    commands = {b"!ShowUserHasConnected": "announce", b"!GetAllActiveUsers": "list", b"!Exit": "leave"}
    events = []
    for place, read in enumerate(reads):
        if place == 0:
            events.append(("name", read.decode("utf-8", errors="replace")))
        elif read in commands:
            events.append((commands[read],))
        else:
            events.append(("say", read.decode("utf-8", errors="replace")))
    return events
    # :solution
