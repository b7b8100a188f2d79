"""Sheet 03: what the numbers of a trace reveal, and what the payloads say.

Notebook: 03_psh_and_payloads. A segment is a dict with "frame", "time_us" (microseconds since the first one),
"source" and "destination" (like "10.27.27.206:56228"), "seq", "ack", "flags" (a set of names) and "payload"
(bytes).
"""


def relative_numbers(segments):
    """Return the (relative seq, relative ack) of each segment, as Wireshark shows them: a list of pairs.

    Each number counts from the initial sequence number of the side that it belongs to, which is in that
    side's SYN, modulo 2**32. The relative ack of a segment without the ACK flag is 0. The recording may hold
    several connections, each between other endpoints; both SYNs of each are there.

    Time: 20 minutes. Source: RFC 9293 section 3.4. Notebook: 03_psh_and_payloads.
    """
    # Question: frame 1193 of the report has seq 106 and ack 52. Whose bytes does each of them count?
    raise NotImplementedError("relative_numbers")


def round_trip_times(segments, host):
    """Return the round trips as measured at ``host`` (an "address:port"): a list of (frame, microseconds).

    The list has one entry for each segment with payload that ``host`` sent, in order: the time until the
    first ACK from the other side whose number covers the segment's last byte. Leave out segments that were
    sent more than once, the first copy too (it is unknown which one was acknowledged), and segments that were
    never acknowledged. The recording holds one connection.

    Time: 30 minutes. Source: RFC 6298 section 3, RFC 9293 section 3.4. Notebook: 03_psh_and_payloads.
    """
    # Question: one ACK may acknowledge several segments. What does "covers" mean when the numbers wrap around?
    raise NotImplementedError("round_trip_times")


def tcp_checksum(packet):
    """Return the TCP checksum that an IPv4 packet should carry (a number), whatever it does carry.

    ``packet`` (bytes) begins with the IPv4 header, which may have options, and holds one whole TCP segment.
    Bytes after the packet's total length are Ethernet's padding. The checksum covers a *pseudo-header* (the two
    addresses, a zero, the protocol number 6, the length of the TCP segment in two bytes) and the segment
    itself, with its own field taken as zero. It is the complement of the sum in 16-bit words, high byte first; a
    carry is added again at the low end, and an odd last byte is followed by a zero byte.

    Time: 20 minutes. Source: RFC 9293 section 3.1, RFC 1071 section 1. Notebook: 03_psh_and_payloads.
    """
    # Question: somebody changes one byte on the way and computes the checksum again. Who notices?
    raise NotImplementedError("tcp_checksum")


def decode_report(reads):
    """Return what a client said on the report wire: a list of tuples, one for each of ``reads``.

    ``reads`` holds the bytes of each read by the server. The first read of the connection is the name,
    whatever it contains: ("name", text). After that, a read that is exactly ``!ShowUserHasConnected`` becomes
    ("announce",), ``!GetAllActiveUsers`` becomes ("list",) and ``!Exit`` becomes ("leave",); anything else
    becomes ("say", text). Text is UTF-8; invalid bytes become U+FFFD.

    Time: 15 minutes. Source: RFC 3629 section 3. Notebook: 03_psh_and_payloads.
    """
    # Question: what would this return if two quick sends arrived as one read?
    raise NotImplementedError("decode_report")
