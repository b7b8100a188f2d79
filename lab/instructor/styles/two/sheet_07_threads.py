"""Sheet 07: one send first, the rest in a loop; memoryviews."""


def broadcast(message, members, limit):
    to_drop = []
    for member in members:
        due = bytes(member.pending) + message
        sent = 0
        try:
            while sent < len(due):
                sent += member.send(memoryview(due)[sent:])
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                to_drop += [member.name]
                member.pending.clear()
                continue
        member.pending[:] = due[sent:]
        if len(member.pending) > limit:
            to_drop += [member.name]
    return tuple(to_drop)


def next_batch(waiting, limit):
    if not waiting:
        return b"", []
    count = 1
    while count < len(waiting) and len(b"".join(waiting[: count + 1])) <= limit:
        count += 1
    return b"".join(waiting[:count]), waiting[count:]
