"""Checks of sheet 07: a broadcast that no client can freeze."""

import random

from lab.exercises.checks.runner import Member
from lab.exercises.checks.story import show
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import line

RULES = {
    "": "A broadcast never waits: send what fits, keep the rest in pending, and go on to the next member.",
    "sent": "A member gets its bytes complete, once and in order: first what was pending, then the message; send "
    "returns how many of them fitted.",
    "pending": "What a send did not take stays in pending, all of it and nothing else: a short send and "
    "BlockingIOError lose nothing.",
    "dropped": "Drop exactly the members that are gone (an OSError other than BlockingIOError) and those with more "
    "than the limit pending; the others stay.",
}
FOR_EVER = 1 << 30


def rooms(dice: random.Random) -> list[tuple[str, list[str], bytes, list[tuple], int]]:
    """(name, steps, message, (name, takes, gone, pending) of each member, limit)."""
    message = b"<Brandon> " + line(dice).encode() + b" " + dice.randbytes(8).hex().encode()
    old = b"<John> " + dice.randbytes(6).hex().encode()
    few = dice.randint(1, 9)
    size = len(message)
    ready = ("Alice", [FOR_EVER], False, b"")
    return [
        (
            "everybody reads",
            ["three members, all sockets have room"],
            message,
            [("A", [FOR_EVER], False, b""), ("B", [FOR_EVER], False, b""), ready],
            1000,
        ),
        (
            "one is silent",
            ["the second member's socket is full and nobody reads from it"],
            message,
            [("A", [FOR_EVER], False, b""), ("B", [0], False, b""), ready],
            1000,
        ),
        (
            "the first is silent",
            ["the first member's socket is full"],
            message,
            [("A", [0], False, b""), ready],
            1000,
        ),
        (
            "a short send",
            [f"the first member's socket takes {few} bytes and is then full"],
            message,
            [("A", [few, 0], False, b""), ready],
            1000,
        ),
        (
            "room bit by bit",
            ["the first member's socket takes a few bytes at a time, but goes on taking them"],
            message,
            [("A", [few] * 200 + [FOR_EVER], False, b""), ready],
            1000,
        ),
        (
            "something is pending",
            ["the first member still has bytes to get", "its socket has room again"],
            message,
            [("A", [FOR_EVER], False, old), ready],
            1000,
        ),
        (
            "pending and full",
            ["the first member still has bytes to get", "its socket is full"],
            message,
            [("A", [0], False, old), ready],
            1000,
        ),
        (
            "pending, and a short send",
            ["the first member still has bytes to get", f"its socket takes {few} bytes"],
            message,
            [("A", [few, 0], False, old), ready],
            1000,
        ),
        (
            "one has gone",
            ["the second member's connection was reset"],
            message,
            [("A", [FOR_EVER], False, b""), ("B", [FOR_EVER], True, b""), ready],
            1000,
        ),
        (
            "the first has gone",
            ["the first member's connection was reset"],
            message,
            [("B", [FOR_EVER], True, b""), ready, ("C", [FOR_EVER], False, b"")],
            1000,
        ),
        (
            "just the limit",
            [f"a full socket, and the message has exactly the limit of {size} bytes"],
            message,
            [("A", [0], False, b""), ready],
            size,
        ),
        (
            "over the limit",
            [f"a full socket, and the limit is {size - 1} bytes"],
            message,
            [("A", [0], False, b""), ready],
            size - 1,
        ),
        (
            "over the limit by what was pending",
            ["a full socket, with bytes pending already"],
            message,
            [("A", [0], False, old), ready],
            size,
        ),
        (
            "longer than the limit, but it fits",
            ["a message longer than the limit; the sockets take it at once"],
            message,
            [("A", [FOR_EVER], False, b""), ready],
            3,
        ),
        (
            "two are gone, one right after the other",
            ["two neighbours were reset"],
            message,
            [("A", [FOR_EVER], True, b""), ("B", [FOR_EVER], True, b""), ready],
            1000,
        ),
        ("nobody is there", ["an empty room"], message, [], 1000),
    ]


def _right(message: bytes, members: list[tuple], limit: int) -> dict:
    sent, pending, dropped = {}, {}, []
    for name, takes, gone, old in members:
        due, takes = old + message, list(takes)
        if gone:
            dropped.append(name)
            continue
        done = 0
        while done < len(due):
            room = takes.pop(0) if len(takes) > 1 else takes[0]
            if room <= 0:
                break
            done += min(room, len(due) - done)
        sent[name], pending[name] = due[:done], due[done:]
        if len(due) - done > limit:
            dropped.append(name)
    return {
        "sent": sent,
        "dropped": dropped,
        "pending": {name: rest for name, rest in pending.items() if name not in dropped},
    }


@task("broadcast")
def test_broadcast(student, seed):
    dice = random.Random(f"sheet 07 {seed}")
    for name, steps, message, plan, limit in rooms(dice):
        members = [Member(*one) for one in plan]
        given = f"{name}: the message {show(message)}, limit {limit}, members {', '.join(one[0] for one in plan) or 'none'}"
        told = student.call("broadcast", message, members, limit, given=given, rule=RULES[""], steps=steps)
        names, states = told if plan else (told, [])
        right = _right(message, plan, limit)
        got = {
            "sent": {state["name"]: state["sent"] for state in states if state["name"] in right["sent"]},
            "dropped": sorted(names)
            if isinstance(names, (list, tuple, set)) and all(isinstance(n, str) for n in names)
            else names,
            "pending": {
                state["name"]: state["pending"] for state in states if state["name"] in right["pending"]
            },
        }
        right["dropped"].sort()
        for part in ("sent", "pending", "dropped"):
            student.compare(
                "broadcast", {part: right[part]}, {part: got[part]}, given, {"": RULES[part]}, steps=steps
            )


@task("next_batch")
def test_next_batch(student, seed):
    rule = (
        "Take whole messages from the front, in order, as many as fit into the limit, the first one in any case; the "
        "others stay as they are."
    )
    dice = random.Random(f"sheet 07 batches {seed}")
    lists = [
        ([], 10),
        ([b"abc"], 10),
        ([b"x" * 50], 10),
        ([b"x" * 50, b"y"], 10),
        ([b"12345", b"67890", b"z"], 10),
        ([b"1", b"x" * 50, b"2"], 10),
    ]
    lists += [
        ([dice.randbytes(dice.randint(1, 9)) for _ in range(dice.randint(1, 8))], dice.randint(1, 30))
        for _ in range(20)
    ]
    for waiting, limit in lists:
        taken = next(
            (n for n in range(len(waiting), 1, -1) if sum(map(len, waiting[:n])) <= limit),
            min(1, len(waiting)),
        )
        right = (b"".join(waiting[:taken]), waiting[taken:])
        given = f"messages of {[len(one) for one in waiting]} bytes are waiting, limit {limit}"
        student.expect("next_batch", waiting, limit, right=right, given=given, rules={"": rule})
