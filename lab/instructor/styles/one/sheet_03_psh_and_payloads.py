"""Sheet 03 with list comprehensions and masks."""

import struct


def relative_numbers(segments):
    isn = {}
    for s in segments:
        if "SYN" in s["flags"] and (s["source"], s["destination"]) not in isn:
            isn[s["source"], s["destination"]] = s["seq"]
    return [
        [
            s["seq"] - isn[s["source"], s["destination"]] & 0xFFFFFFFF,
            s["ack"] - isn[s["destination"], s["source"]] & 0xFFFFFFFF if "ACK" in s["flags"] else 0,
        ]
        for s in segments
    ]


def round_trip_times(segments, host):
    waiting, result, seen = [], {}, set()
    for s in segments:
        if s["source"] == host and s["payload"]:
            if s["seq"] in seen:
                waiting = [one for one in waiting if one["seq"] != s["seq"]]
                result = {frame: pair for frame, pair in result.items() if pair[1] != s["seq"]}
            else:
                waiting.append(s)
            seen.add(s["seq"])
        elif s["source"] != host and "ACK" in s["flags"]:
            for one in list(waiting):
                if (s["ack"] - one["seq"] - len(one["payload"])) & 0x80000000 == 0:
                    result[one["frame"]] = (s["time_us"] - one["time_us"], one["seq"])
                    waiting.remove(one)
    return [(frame, result[frame][0]) for frame in sorted(result)]


def decode_report(reads):
    if not reads:
        return []
    result = [("name", str(reads[0], "utf-8", "replace"))]
    for read in reads[1:]:
        if read == b"!Exit":
            result.append(("leave",))
        elif read == b"!ShowUserHasConnected":
            result.append(("announce",))
        elif read == b"!GetAllActiveUsers":
            result.append(("list",))
        else:
            result.append(("say", str(read, "utf-8", "replace")))
    return result


def tcp_checksum(packet):
    start, end = packet[0] % 16 * 4, packet[2] << 8 | packet[3]
    segment = packet[start:end]
    words = list(struct.unpack(f"!{len(segment) // 2}H", segment[: len(segment) // 2 * 2]))
    words[8] = 0
    if len(segment) & 1:
        words.append(segment[-1] << 8)
    words += struct.unpack("!4H", packet[12:20])
    words += [6, len(segment)]
    return -sum(words) % 0xFFFF
