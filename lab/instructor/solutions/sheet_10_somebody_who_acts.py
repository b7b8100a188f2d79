"""Sheet 10: somebody sends in the name of others; find out what cannot be true.

Notebook: 10_somebody_who_acts. Everything happens on one LAN, without a router between the hosts.
"""


def in_window(seq, length, expected, window):
    """Return whether a receiver accepts a segment by its sequence number.

    ``seq`` is the segment's number and ``length`` how many numbers it takes (its payload; a SYN or FIN takes one more).
    The receiver expects ``expected`` next and has room for ``window`` bytes. It accepts a segment that has its first
    or its last number in the window; one that takes no number stands at ``seq`` alone. If the window is 0, only an empty
    segment with exactly the expected number is accepted. Numbers wrap around at 2**32.

    Time: 15 minutes. Source: RFC 9293 section 3.10.7.4. Notebook: 10_somebody_who_acts.
    """
    # Question: how many numbers would an attacker have to try until one of them is in a window of 64,000?
    # solution:
    if window == 0:
        return length == 0 and seq == expected
    first = (seq - expected) % 2**32
    last = (first + max(length, 1) - 1) % 2**32
    return first < window or last < window
    # :solution


def arp_conflicts(messages):
    """Return the frame numbers of ARP messages that contradict what was said before.

    A message is a dict with "frame", "operation" (1: request, 2: reply), "mac" and "address": the sender's, as the
    message itself says. It contradicts if the last message before it with this sender's address said another MAC. The
    address "0.0.0.0" belongs to nobody: a host that asks with it whether an address is free says nothing about itself.

    Time: 15 minutes. Source: RFC 826, RFC 5227 section 1.1. Notebook: 10_somebody_who_acts.
    """
    # Question: does a conflict tell you which of the two is the liar?
    # solution:
    known, found = {}, []
    for message in messages:
        address, mac = message["address"], message["mac"]
        if address == "0.0.0.0":
            continue
        if known.get(address, mac) != mac:
            found.append(message["frame"])
        known[address] = mac
    return found
    # :solution


def is_downgrade(first, second):
    """Return whether a client that was refused TLS went on without it.

    Both are connections, dicts with "client" (an address), "server" ("address:port"), "sent" and "received" (the
    bytes of the client and of the server). It is a downgrade if the same client asks the same server for TLS,
    the server answers with anything but a handshake record, or not at all, and the client then
    sends something other than TLS. A record starts with its type, 22 for a handshake, and the major version, 3.

    Time: 15 minutes. Source: RFC 8446 section 5.1, RFC 7457 section 2.1. Notebook: 10_somebody_who_acts.
    """

    # Question: could the client know whether the refusal came from the server?
    # solution:
    def is_tls(data):
        return data[:2] == b"\x16\x03"

    same = first["client"] == second["client"] and first["server"] == second["server"]
    was_refused = is_tls(first["sent"]) and not is_tls(first["received"])
    return same and was_refused and bool(second["sent"]) and not is_tls(second["sent"])
    # :solution


def find_forged(segments):
    """Return the frame numbers of segments that cannot come from the host whose address they bear.

    ``segments`` are all TCP segments of a recording, in order; each is a dict with "frame", "mac" (the frame's source),
    "source" and "destination" ("address:port"), "ttl", "id" (the IP identification), "seq", "flags" (a set of
    names) and "payload" (bytes). On one LAN, all packets of a host come from one MAC and arrive with one TTL: those of its
    first segment, on whatever port. Never accuse an honest host: it may repeat a number, send a RST, or use an
    identification twice.

    Time: 20 minutes. Source: RFC 791 section 3.1, RFC 6864 section 4. Notebook: 10_somebody_who_acts.
    """
    # Question: which of these two would still help if a router stood between you and the host?
    # solution:
    known, found = {}, []
    for segment in segments:
        address = segment["source"].rpartition(":")[0]
        traits = segment["mac"], segment["ttl"]
        if known.setdefault(address, traits) != traits:
            found.append(segment["frame"])
    return found
    # :solution
