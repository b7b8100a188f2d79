"""Sheet 02 with ipaddress, classes and masks."""

import struct
from ipaddress import IPv4Address


def parse_ethernet(frame):
    header, payload = frame[:14], frame[14:]
    text = [format(byte, "02x") for byte in header]
    (kind,) = struct.unpack_from("!H", header, 12)
    return {"destination": ":".join(text[0:6]), "source": ":".join(text[6:12]), "type": kind, "payload": payload}


def parse_ipv4(packet):
    fields = struct.unpack_from("!BxHxxxxBBxxII", packet)
    words = fields[0] & 15
    body = packet[words * 4 :]
    body = body[: fields[1] - words * 4]
    return {
        "header_length": words << 2,
        "total_length": fields[1],
        "ttl": fields[2],
        "protocol": fields[3],
        "source": str(IPv4Address(fields[4])),
        "destination": format(IPv4Address(fields[5])),
        "payload": body,
    }


def parse_tcp(segment):
    sport, dport, seq, ack, word, window = struct.unpack_from("!HHLLHH", segment)
    size = (word & 0xF000) >> 10
    result = {"source_port": sport, "destination_port": dport, "seq": seq, "ack": ack}
    result["header_length"] = size
    result["flags"] = {
        n for n, bit in {"FIN": 0, "SYN": 1, "RST": 2, "PSH": 3, "ACK": 4, "URG": 5}.items() if word & 1 << bit
    }
    result["window"] = window
    result["payload"] = segment[size:]
    return result


class Opening:
    def __init__(self, syn):
        self.syn, self.answer = syn, None


def find_handshake(segments):
    openings = {}
    for one in segments:
        there = (one["source"], one["destination"])
        back = (one["destination"], one["source"])
        syn, ack = "SYN" in one["flags"], "ACK" in one["flags"]
        if syn and not ack:
            if there not in openings or openings[there].answer is None:
                openings[there] = Opening(one)
        elif syn and ack and back in openings:
            opening = openings[back]
            if opening.answer is None and one["ack"] == (opening.syn["seq"] + 1) % 4294967296:
                opening.answer = one
        elif ack and "RST" not in one["flags"] and there in openings and openings[there].answer is not None:
            opening = openings[there]
            if one["ack"] == (opening.answer["seq"] + 1) % 4294967296:
                return opening.syn["frame"], opening.answer["frame"], one["frame"]
