"""Sheet 03 with plain loops and helper functions."""

MODULUS = 1 << 32


def distance(a, b):
    """How far a is ahead of b, negative if it is behind."""
    d = (a - b) % MODULUS
    if d >= MODULUS // 2:
        d -= MODULUS
    return d


def relative_numbers(segments):
    bases = dict()
    out = list()
    for segment in segments:
        key = segment["source"] + " " + segment["destination"]
        reverse = segment["destination"] + " " + segment["source"]
        if "SYN" in segment["flags"]:
            bases[key] = segment["seq"]
        seq = segment["seq"] - bases[key]
        if seq < 0:
            seq += MODULUS
        ack = 0
        if "ACK" in segment["flags"]:
            ack = segment["ack"] - bases[reverse]
            if ack < 0:
                ack += MODULUS
        out.append((seq, ack))
    return out


def round_trip_times(segments, host):
    out = []
    for i in range(len(segments)):
        one = segments[i]
        if one["source"] != host or not one["payload"]:
            continue
        copies = 0
        for other in segments:
            if other["source"] == host and other["seq"] == one["seq"] and other["payload"]:
                copies += 1
        if copies != 1:
            continue
        for other in segments[i + 1 :]:
            if other["source"] != host and "ACK" in other["flags"]:
                if distance(other["ack"], one["seq"] + len(one["payload"])) >= 0:
                    out.append([one["frame"], other["time_us"] - one["time_us"]])
                    break
    return out


def decode_report(reads):
    out = []
    first = True
    for read in reads:
        try:
            text = read.decode()
        except UnicodeDecodeError:
            text = read.decode("utf8", "replace")
        if first:
            out.append(("name", text))
            first = False
        else:
            event = {"!ShowUserHasConnected": ("announce",), "!GetAllActiveUsers": ("list",), "!Exit": ("leave",)}.get(
                text
            )
            out.append(event or ("say", text))
    return out


def tcp_checksum(packet):
    end = packet[2] * 256 + packet[3]
    start = (packet[0] & 15) * 4
    data = list(packet[12:20]) + [0, 6, (end - start) // 256, (end - start) % 256]
    for i in range(start, end):
        data.append(0 if i - start in (16, 17) else packet[i])
    if len(data) % 2 == 1:
        data.append(0)
    result = 0
    for i in range(0, len(data), 2):
        result += data[i] * 256 + data[i + 1]
        if result > 65535:
            result -= 65535
    return result ^ 65535
