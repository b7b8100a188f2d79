"""Sheet 05 with recursion, generators and plain dictionaries."""


def split(stream):
    position = 0
    while True:
        head = stream[position : position + 5]
        if len(head) != 5:
            return
        size = head[3] << 8 | head[4]
        position += 5
        body = stream[position : position + size]
        if len(body) != size:
            return
        yield {"type": head[0], "version": head[1] << 8 | head[2], "length": size, "fragment": body}
        position += size


def parse_records(stream):
    return list(split(stream))


def infer_lengths(records, version):
    extra = 17
    if version.endswith("1.2"):
        extra = 24
    return tuple(record[1] - extra for record in records if record[0] == 23)


def exposure(payloads, said):
    who = {}
    counts = {}
    for line in said:
        counts[tuple(line)] = counts.get(tuple(line), 0) + 1
    right = 0
    wrong = 0
    for connection, data in payloads:
        text = data.decode(errors="replace")
        if connection not in who:
            who[connection] = text
        elif text[0] != "!":
            line = (who[connection], text)
            if counts.get(line, 0) > 0:
                counts[line] -= 1
                right += 1
            else:
                wrong += 1
    try:
        share = right / len(said)
    except ZeroDivisionError:
        share = 0.0
    return {"share": share, "total": len(said), "wrong": wrong, "right": right}


def find_finished(records, version):
    before = None
    for number, (kind, length) in enumerate(records):
        if version == "TLS 1.2" and before == 20:
            return number if kind == 22 else None
        if version == "TLS 1.3" and kind == 23:
            if length == 53 or length == 69:
                return number
            break
        before = kind
    return None
