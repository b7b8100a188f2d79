"""Sheet 02: parse headers by hand, and find the three frames that open a connection.

Notebook: 02_handshake. In Wireshark, click a field to see its bytes highlighted in the pane below.
Network byte order is big-endian: ``struct`` spells it ">" or "!".
"""

import struct


def parse_ethernet(frame):
    """Parse an Ethernet II frame (bytes).

    Return a dict: "destination" and "source" as text like "18:c0:4d:df:aa:43", "type" as a number, and
    "payload" as bytes: everything after the header.

    Time: 10 minutes. Source: RFC 894, IEEE 802.3 section 3. Notebook: 02_handshake.
    """
    # Question: which of the two addresses comes first on the wire, and why would a switch want it that way?
    # solution:
    destination, source, kind = struct.unpack(">6s6sH", frame[:14])
    return {
        "destination": ":".join(f"{byte:02x}" for byte in destination),
        "source": ":".join(f"{byte:02x}" for byte in source),
        "type": kind,
        "payload": frame[14:],
    }
    # :solution


def parse_ipv4(packet):
    """Parse an IPv4 packet (bytes, as an Ethernet frame carries it).

    Return a dict: "header_length" and "total_length" in bytes, "ttl" and "protocol" as numbers, "source" and
    "destination" as text like "10.27.27.206", and "payload" as bytes. Beware: a short Ethernet frame is
    padded to 60 bytes, and the padding comes after the packet.

    Time: 15 minutes. Source: RFC 791 section 3.1. Notebook: 02_handshake.
    """
    # Question: where does this packet end, and which field says so?
    # solution:
    first, _, total_length, _, _, ttl, protocol, _, source, destination = struct.unpack(
        ">BBHHHBBH4s4s", packet[:20]
    )
    header_length = (first & 0x0F) * 4
    return {
        "header_length": header_length,
        "total_length": total_length,
        "ttl": ttl,
        "protocol": protocol,
        "source": ".".join(str(byte) for byte in source),
        "destination": ".".join(str(byte) for byte in destination),
        "payload": packet[header_length:total_length],
    }
    # :solution


def parse_tcp(segment):
    """Parse a TCP segment (bytes).

    Return a dict: "source_port", "destination_port", "seq", "ack", "header_length" in bytes, "flags" as a set
    of names from FIN, SYN, RST, PSH, ACK and URG, "window" as on the wire, and "payload" as bytes.

    Time: 20 minutes. Source: RFC 9293 section 3.1. Notebook: 02_handshake.
    """
    # Question: the header may contain options; where does the data begin?
    # solution:
    source, destination, seq, ack, offset, bits, window = struct.unpack(">HHIIBBH", segment[:16])
    header_length = (offset >> 4) * 4
    names = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
    return {
        "source_port": source,
        "destination_port": destination,
        "seq": seq,
        "ack": ack,
        "header_length": header_length,
        "flags": {name for place, name in enumerate(names) if bits >> place & 1},
        "window": window,
        "payload": segment[header_length:],
    }
    # :solution


def find_handshake(segments):
    """Return the frame numbers of the SYN, the SYN-ACK and the ACK of the first connection established.

    ``segments`` is a list of dicts in the order of the recording, with "frame", "source" and "destination"
    (like "10.27.27.206:56228"), "seq", "ack" and "flags" (a set of names). Several handshakes may go on at
    once, and some never finish. A connection is established when its initiator acknowledges the SYN-ACK: with
    ACK, without SYN or RST, and with the number behind the SYN-ACK's (modulo 2**32). Return three frame
    numbers for the connection whose ACK came first in the recording, or None if none was established. Of a
    SYN that was sent again, return the last one before the SYN-ACK; of a SYN-ACK that was sent again, the
    first one.

    Time: 20 minutes. Source: RFC 9293 section 3.5. Notebook: 02_handshake.
    """
    # Question: what in a SYN-ACK says which SYN it answers?
    # solution:
    open_syns = {}
    answered = []
    for segment in segments:
        ends = segment["source"], segment["destination"]
        if "SYN" in segment["flags"] and "ACK" not in segment["flags"]:
            open_syns[ends] = segment
        elif "SYN" in segment["flags"]:
            syn = open_syns.get(ends[::-1])
            if syn and segment["ack"] == (syn["seq"] + 1) % 2**32:
                answered.append((syn, segment))
        elif "ACK" in segment["flags"] and "RST" not in segment["flags"]:
            for syn, syn_ack in answered:
                opened = ends == (syn["source"], syn["destination"])
                if opened and segment["ack"] == (syn_ack["seq"] + 1) % 2**32:
                    return syn["frame"], syn_ack["frame"], segment["frame"]
    return None
    # :solution
