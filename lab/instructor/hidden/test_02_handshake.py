"""Hidden checks of sheet 02: headers as long and as short as they get, several connections opening at once."""

import random

from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import Talk, Tape


@task("parse_ipv4")
def hidden_parse_ipv4(student, seed):
    dice = random.Random(f"hidden 02 {seed}")
    for words in (5, 6, 9, 15):
        options = b"\x01" * ((words - 5) * 4)
        payload = dice.randbytes(dice.randint(0, 40))
        total = words * 4 + len(payload)
        addresses = dice.randbytes(8)
        packet = (
            bytes([0x40 | words, 0])
            + total.to_bytes(2, "big")
            + dice.randbytes(4)
            + bytes([dice.randrange(1, 255), 17])
            + b"\0\0"
        )
        packet += addresses + options + payload
        right = {
            "header_length": words * 4,
            "total_length": total,
            "ttl": packet[8],
            "protocol": 17,
            "source": ".".join(map(str, addresses[:4])),
            "destination": ".".join(map(str, addresses[4:])),
            "payload": payload,
        }
        rule = "Any length of header and of payload, UDP as well as TCP, with anything behind it (RFC 791 section 3.1)."
        given = f"a packet made up for this check: {packet[:24].hex(' ')}"
        student.expect(
            "parse_ipv4",
            packet + dice.randbytes(dice.choice([0, 3])),
            right=right,
            given=given,
            rules={"": rule},
        )


@task("parse_tcp")
def hidden_parse_tcp(student, seed):
    dice = random.Random(f"hidden 02 tcp {seed}")
    names = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
    for _ in range(30):
        words, bits = dice.randint(5, 15), dice.randrange(64)
        payload = dice.randbytes(dice.randint(0, 20))
        head = (
            dice.randbytes(12)
            + bytes([words << 4 | dice.randrange(16), bits | dice.randrange(4) << 6])
            + dice.randbytes(6)
        )
        segment = head + b"\x01" * ((words - 5) * 4) + payload
        right = {
            "source_port": head[0] << 8 | head[1],
            "destination_port": head[2] << 8 | head[3],
            "seq": int.from_bytes(head[4:8], "big"),
            "ack": int.from_bytes(head[8:12], "big"),
            "header_length": words * 4,
            "flags": {name for place, name in enumerate(names) if bits & 1 << place},
            "window": head[14] << 8 | head[15],
            "payload": payload,
        }
        rule = (
            "Any combination of flags, reserved bits set or not, any length of header (RFC 9293 section 3.1)."
        )
        given = f"a segment made up for this check: {segment[:24].hex(' ')}"
        student.expect("parse_tcp", segment, right=right, given=given, rules={"": rule})


@task("find_handshake")
def hidden_find_handshake(student, seed):
    dice = random.Random(f"hidden 02 handshakes {seed}")
    for _ in range(6):
        tape = Tape(dice)
        talks = [Talk(tape, client=f"10.27.27.{n + 20}") for n in range(4)]
        frames = {}
        turns = [(n, step) for n in range(4) for step in range(3)]
        order = sorted(turns, key=lambda turn: (turn[1] + dice.random() * 1.5, turn[0]))
        state = [0] * 4
        for n, _step in order:
            step, state[n] = state[n], state[n] + 1
            who, flags, seq, ack = (
                ("client", "SYN", 0, None),
                ("server", "SYN ACK", 0, 1),
                ("client", "ACK", 1, 1),
            )[step]
            frames.setdefault(n, []).append(talks[n].segment(who, flags, seq, ack))
        case = tape.case("four clients at once")
        segments = [
            {key: row[key] for key in ("frame", "source", "destination", "seq", "ack", "flags")}
            for row in case.rows
        ]
        right = tuple(min(frames.values(), key=lambda three: three[2]))
        rule = (
            "The first connection is the one whose ACK, the third frame, comes first; its three frames belong together "
            "by both endpoints."
        )
        student.expect(
            "find_handshake", segments, right=right, given="four clients at once", rules={"": rule}, case=case
        )
