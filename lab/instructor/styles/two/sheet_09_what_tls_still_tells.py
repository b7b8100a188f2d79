"""Sheet 09, by somebody who writes loops and takes one step at a time."""


def keystroke_intervals(records):
    counts = {}
    for _, size, direction in records:
        if direction == -1:
            counts[size] = counts.get(size, 0) + 1
    notice, most = None, 0
    for size in sorted(counts):
        if counts[size] > most:
            notice, most = size, counts[size]
    result, last = [], None
    for time, size, direction in records:
        if direction == -1 and size == notice:
            if last is not None:
                result.append(time - last)
            last = time
    return result


def record_sizes(stream):
    sizes = []
    position = 0
    while True:
        header = stream[position : position + 5]
        if len(header) < 5:
            return sizes
        length = header[3] * 256 + header[4]
        body = stream[position + 5 : position + 5 + length]
        if len(body) < length:
            return sizes
        if header[0] == 0x17:
            sizes.append(len(body) - 17)
        position = position + 5 + length


def nearest_centroid(known, asked):
    nearest, smallest = None, float("inf")
    for label in sorted(known):
        rows = known[label]
        total = 0
        for column in range(len(asked)):
            mean = 0
            for row in rows:
                mean += row[column]
            mean /= len(rows)
            total += (mean - asked[column]) * (mean - asked[column])
        if total < smallest:
            nearest, smallest = label, total
    return nearest


def cost_of_padding(sizes, block):
    more = 0
    different = []
    for size in sizes:
        length = size + 1
        while length % block != 0 and length < 16385:
            length += 1
            more += 1
        if length not in different:
            different.append(length)
    return more, len(different)
