"""Checks of sheet 10: what cannot be true when somebody sends in the name of others."""

import random
from functools import cache, lru_cache

from lab.dissect.fields.checksums import ones_sum
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import PLAIN, ROOT, TLS13, Case, Talk, Tape, line, near_wrap, shipped

LESSONS = ROOT / "captures" / "lessons"
MALLORY, HER_ADDRESS = "02:00:00:00:00:66", "10.27.27.66"  # in the recordings of the attacks
NUMBERS, HONEST = 2**32, 100
ARP_TYPE = b"\x08\x06"


# in_window


@task("in_window")
def test_in_window(student, seed):
    rule = (
        "A segment is acceptable if its first or its last number is in the window, counted modulo 2**32 from the number "
        "expected next; with a window of 0, an empty segment with exactly that number (RFC 9293 section 3.10.7.4)."
    )
    dice = random.Random(f"in_window {seed}")
    for _ in range(60):
        expected = dice.choice([dice.randrange(NUMBERS), near_wrap(dice), dice.randrange(40)])
        window, length = (
            dice.choice([0, 1, dice.randrange(2, 60)]),
            dice.choice([0, 1, dice.randrange(2, 90)]),
        )
        edges = (-length - 1, -length, 1 - length, -1, 0, 1, window - 1, window, window + 1, window // 2)
        for seq in {(expected + edge) % NUMBERS for edge in edges}:
            room = {(expected + number) % NUMBERS for number in range(window)}
            ends = {seq, (seq + max(length, 1) - 1) % NUMBERS}
            right = bool(ends & room) if window else (length, seq) == (0, expected)
            given = f"seq {seq}, length {length}; expected {expected}, window {window}"
            student.expect(
                "in_window", seq, length, expected, window, right=right, given=given, rules={"": rule}
            )


# arp_conflicts


def arp_messages(case_path) -> list[dict]:
    """Return the ARP messages of a recording (RFC 826: operation, sender's MAC and address)."""
    case = shipped(case_path)
    capture, found = case.segments.capture, []
    for number in range(1, len(capture) + 1):
        frame = case.frame(number)
        if frame[12:14] == ARP_TYPE:
            found.append(message(number, frame[21], frame[22:28].hex(":"), ".".join(map(str, frame[28:32]))))
    return found


def message(frame: int, operation: int, mac: str, address: str) -> dict:
    return {"frame": frame, "operation": operation, "mac": mac, "address": address}


@cache
def arp_stories(seed: int) -> list[tuple[str, list[dict], list[int]]]:
    """Return (story, messages, the frames that contradict) of made-up LANs."""
    dice = random.Random(f"arp {seed}")
    server, brandon, her = (bytes([2, *dice.randbytes(5)]).hex(":") for _ in range(3))
    s, b, nobody = "10.0.0.1", f"10.0.0.{dice.randrange(2, 250)}", "0.0.0.0"
    told = [
        ("all are honest", [(1, brandon, b), (2, server, s), (1, brandon, b), (2, server, s)], []),
        (
            "two lie in turn",
            [(2, server, s), (2, her, s), (2, server, s), (2, server, s), (2, her, s)],
            [1, 2, 4],
        ),
        ("a false request", [(1, server, s), (1, her, s)], [1]),
        ("one card with two addresses", [(2, server, s), (2, server, b)], []),
        ("two hosts ask for an address that may be free", [(1, server, nobody), (1, brandon, nobody)], []),
        ("both are impersonated", [(1, brandon, b), (2, server, s), (2, her, b), (2, her, s)], [2, 3]),
    ]
    found = []
    for story, messages, wrong in told:
        frames = sorted(dice.sample(range(1, 900), len(messages)))
        rows = [message(frame, *one) for frame, one in zip(frames, messages, strict=True)]
        found.append((story, rows, [frames[place] for place in wrong]))
    return found


@task("arp_conflicts")
def test_arp_conflicts(student, seed):
    rule = (
        "A message contradicts the last one before it with the same sender's address and another MAC, be it a request or a "
        "reply; one MAC may have several addresses, and 0.0.0.0 is nobody's (RFC 826, RFC 5227 section 1.1)."
    )
    stories = list(arp_stories(seed))
    for path in (LESSONS / "arp.pcapng", LESSONS / "calm.pcapng"):
        messages, last = arp_messages(path), {}
        wrong = []
        for one in messages:
            if last.setdefault(one["address"], one["mac"]) != one["mac"]:
                wrong.append(one["frame"])
            last[one["address"]] = one["mac"]
        stories.append((f"the recording {path.relative_to(ROOT).as_posix()}", messages, wrong))
    for story, messages, wrong in stories:
        given = f"{story}: {len(messages)} ARP messages"
        student.expect("arp_conflicts", messages, right=wrong, given=given, rules={"": rule})


# is_downgrade


def connection(client: str, server: str, sent: bytes, received: bytes) -> dict:
    return {"client": client, "server": server, "sent": sent, "received": received}


@task("is_downgrade")
def test_is_downgrade(student, seed):
    rule = (
        "It is a downgrade if the same client first sent the same server a TLS handshake record (type 22, major version 3), "
        "did not get one back, and then sent something that is not TLS (RFC 8446 section 5.1)."
    )
    dice = random.Random(f"is_downgrade {seed}")
    one, other, server = "10.0.0.2", "10.0.0.3", "10.0.0.1:9898"
    tls, alert = (head + dice.randbytes(4) for head in (b"\x16\x03\x01\x00\x80", b"\x15\x03\x01\x00\x02"))
    text, line_ = b"*** no TLS here ***", line(dice).encode()
    cases = [
        ("the hello is answered with text", (one, server, tls, text), (one, server, line_, b""), True),
        ("the hello is answered with an alert", (one, server, tls, alert), (one, server, line_, b""), True),
        ("the hello is not answered", (one, server, tls, b""), (one, server, line_, b""), True),
        (
            "a line that begins with the byte 22",
            (one, server, tls, text),
            (one, server, b"\x16" + line_, b""),
            True,
        ),
        ("the hello is answered with TLS", (one, server, tls, tls), (one, server, line_, b""), False),
        ("TLS once more", (one, server, tls, text), (one, server, tls, tls), False),
        ("plaintext all along", (one, server, line_, text), (one, server, line_, b""), False),
        ("another client", (one, server, tls, text), (other, server, line_, b""), False),
        ("another server", (one, server, tls, text), (one, "10.0.0.1:9899", line_, b""), False),
        ("it says nothing any more", (one, server, tls, text), (one, server, b"", b""), False),
    ]
    for story, first, second, right in dice.sample(cases, len(cases)):
        arguments = (connection(*first), connection(*second))
        student.expect("is_downgrade", *arguments, right=right, given=story, rules={"": rule})
    flows = shipped(LESSONS / "downgrade.pcapng").flows
    recorded = [
        connection(
            flow.initiator.address, str(flow.responder), flow.from_initiator.data, flow.from_responder.data
        )
        for flow in flows
    ]
    for number, right in ((0, True), (2, True), (1, False)):
        given = f"flows {number} and {number + 1} of captures/lessons/downgrade.pcapng"
        student.expect(
            "is_downgrade", *recorded[number : number + 2], right=right, given=given, rules={"": rule}
        )


# find_forged


def rows_of(case: Case) -> list[dict]:
    """Return the segments of a case as the exercise receives them."""
    found = []
    for row in case.rows:
        frame = case.frame(row["frame"])
        about = {"mac": frame[6:12].hex(":"), "ttl": frame[22], "id": int.from_bytes(frame[18:20], "big")}
        names = ("frame", "source", "destination", "seq", "flags", "payload")
        found.append({name: row[name] for name in names} | about)
    return found


def forge(tape: Tape, number: int, mac: bytes | None, ttl: int) -> int:
    """Give a frame of the tape another source MAC (None: leave it) and TTL; return its number."""
    time_ns, frame = tape.frames[number - 1]
    header = frame[14:22] + bytes([ttl]) + frame[23:24] + b"\0\0" + frame[26:34]
    header = header[:10] + (~ones_sum(header) & 0xFFFF).to_bytes(2, "big") + header[12:]
    tape.frames[number - 1] = time_ns, frame[:6] + (mac or frame[6:12]) + frame[12:14] + header + frame[34:]
    return number


def room(dice: random.Random, attacks: int) -> tuple[Case, list[int]]:
    """Return two connections to one server, with what honest hosts do, and some forged segments among them."""
    tape, forged = Tape(dice), []
    her_mac = bytes([2, *dice.randbytes(5)])
    talks = [Talk(tape, client=f"10.27.27.{n}", isns=(near_wrap(dice), near_wrap(dice))) for n in (2, 3)]
    for talk in talks[1:]:
        talk.mac["server"] = talks[0].mac["server"]
    for talk in talks:
        talk.open()
    plan = ["forged"] * attacks + dice.choices(
        ["say", "again", "late", "reset"], [6, 2, 2, 1], k=12 - attacks
    )
    dice.shuffle(plan)
    for step in plan:
        talk, who = dice.choice(talks), dice.choice(["client", "server"])
        if step == "forged":
            if dice.random() < 0.4:  # from a port of that host that nobody has used
                talk, who = Talk(tape, client=talk.address["client"]), "client"
            flags, ack, payload = dice.choice(
                [("RST", None, b""), ("SYN", None, b""), ("PSH ACK", 1, b"I quit")]
            )
            number = talk.segment(who, flags, talk.sent[who], ack, payload)
            has_hers = dice.random() < 0.6  # her own MAC; otherwise she sets it too, and only the TTL differs
            forged.append(forge(tape, number, her_mac if has_hers else None, 64 if has_hers else 63))
        elif step == "reset":
            talk.segment(who, "RST", talk.sent[who], None, window=0)
        elif step == "late":
            talk.say(who, b"late", lost=True)
        else:
            seq = talk.sent[who]
            talk.say(who, line(dice).encode())
            if step == "again":
                talk.again(who, seq, b"again")
    return tape.case(f"{attacks} forged" if attacks else "all honest"), forged


@lru_cache(maxsize=4)
def forgeries(seed: int) -> list[tuple[Case, list[dict], list[int]]]:
    """Return the cases of ``find_forged``, their rows and the forged frames: the same for each student of a grader."""
    dice = random.Random(f"find_forged {seed}")
    cases = [(shipped(path), []) for path in (PLAIN, TLS13, LESSONS / "half-close.pcapng")]
    for name in ("reset", "inject"):
        case = shipped(LESSONS / f"{name}.pcapng")
        rows = rows_of(case)
        hers = [
            row["frame"]
            for row in rows
            if row["mac"] == MALLORY and not row["source"].startswith(HER_ADDRESS)
        ]
        cases.append((case, hers))
    cases += [room(dice, attacks) for attacks in (1, 2, 3, 4, 5)]
    cases += [room(dice, 0) for _ in range(HONEST)]
    return [(case, rows_of(case), forged) for case, forged in cases]


@task("find_forged")
def test_find_forged(student, seed):
    rule = (
        "On one LAN a host's packets come from one MAC and with one TTL, those of its first segment, whatever the "
        "port; a segment with another MAC or another TTL is forged, and no other: a RST, a repeated number or any IP "
        "identification is honest (RFC 791 section 3.1, RFC 6864 section 4)."
    )
    for case, rows, forged in forgeries(seed):
        given = f"{len(rows)} segments of {case.name}"
        student.expect("find_forged", rows, right=forged, given=given, rules={"": rule}, case=case)
