"""Sheet 07 with a helper that sends, and sets."""


def flush(member):
    """False where the member has gone."""
    while member.pending:
        try:
            n = member.send(member.pending)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        member.pending = member.pending[n:]
    return True


def broadcast(message, members, limit):
    gone = set()
    for member in list(members):
        member.pending.extend(message)
        if not flush(member) or len(member.pending) > limit:
            gone.add(member.name)
    return gone


def next_batch(waiting, limit):
    taken, size = [], 0
    rest = list(waiting)
    while rest and (not taken or size + len(rest[0]) <= limit):
        size += len(rest[0])
        taken.append(rest.pop(0))
    return b"".join(taken), rest
