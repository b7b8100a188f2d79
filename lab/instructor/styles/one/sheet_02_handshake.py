"""Sheet 02 without struct: slices and int.from_bytes."""


def parse_ethernet(frame):
    return {
        "payload": bytes(frame[14:]),
        "type": int.from_bytes(frame[12:14], "big"),
        "source": frame[6:12].hex(":"),
        "destination": frame[:6].hex(":"),
    }


def parse_ipv4(packet):
    header_length = packet[0] % 16 * 4
    total_length = 256 * packet[2] + packet[3]
    return dict(
        header_length=header_length,
        total_length=total_length,
        ttl=packet[8],
        protocol=packet[9],
        source="%d.%d.%d.%d" % tuple(packet[12:16]),
        destination="%d.%d.%d.%d" % tuple(packet[16:20]),
        payload=packet[:total_length][header_length:],
    )


def parse_tcp(segment):
    number = lambda start, end: int.from_bytes(segment[start:end], "big")  # noqa: E731
    flags = []
    for value, name in ((1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG")):
        if segment[13] & value:
            flags.append(name)
    return {
        "source_port": number(0, 2),
        "destination_port": number(2, 4),
        "seq": number(4, 8),
        "ack": number(8, 12),
        "header_length": segment[12] // 16 * 4,
        "flags": frozenset(flags),
        "window": number(14, 16),
        "payload": bytearray(segment[segment[12] // 16 * 4 :]),
    }


def find_handshake(segments):
    established = []
    for i, answer in enumerate(segments):
        if not {"SYN", "ACK"} <= answer["flags"]:
            continue
        syns = [
            one
            for one in segments[:i]
            if one["flags"] & {"SYN", "ACK"} == {"SYN"}
            and one["source"] == answer["destination"]
            and one["destination"] == answer["source"]
            and (one["seq"] + 1) & 0xFFFFFFFF == answer["ack"]
        ]
        if not syns:
            continue
        for third in segments[i + 1 :]:
            if (
                third["source"] == answer["destination"]
                and third["destination"] == answer["source"]
                and "ACK" in third["flags"]
                and not third["flags"] & {"SYN", "RST"}
                and third["ack"] == (answer["seq"] + 1) & 0xFFFFFFFF
            ):
                established.append([syns[-1]["frame"], answer["frame"], third["frame"]])
                break
    return min(established, key=lambda three: three[2], default=None)
