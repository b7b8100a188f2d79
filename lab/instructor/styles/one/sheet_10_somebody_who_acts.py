"""Sheet 10 with helpers, and a case for each row of the RFC's table."""

MOD = 1 << 32


def between(number, start, room):
    return (number - start) % MOD < room


def in_window(seq, length, expected, window):
    if length == 0 and window == 0:
        return seq == expected
    if length == 0:
        return between(seq, expected, window)
    if window == 0:
        return False
    return between(seq, expected, window) or between((seq + length - 1) % MOD, expected, window)


def arp_conflicts(messages):
    seen = {}
    wrong = []
    for m in messages:
        if m["address"] != "0.0.0.0":
            if m["address"] in seen and seen[m["address"]] != m["mac"]:
                wrong.append(m["frame"])
            seen[m["address"]] = m["mac"]
    return wrong


def starts_handshake(data):
    return len(data) >= 2 and data[0] == 22 and data[1] == 3


def is_downgrade(first, second):
    if first["client"] != second["client"]:
        return False
    if first["server"] != second["server"]:
        return False
    if not starts_handshake(first["sent"]):
        return False
    if starts_handshake(first["received"]):
        return False
    return len(second["sent"]) > 0 and not starts_handshake(second["sent"])


def find_forged(segments):
    macs, ttls, wrong = {}, {}, []
    for s in segments:
        host = s["source"].split(":")[0]
        macs.setdefault(host, s["mac"])
        ttls.setdefault(host, s["ttl"])
        if s["mac"] != macs[host] or s["ttl"] != ttls[host]:
            wrong.append(s["frame"])
    return wrong
