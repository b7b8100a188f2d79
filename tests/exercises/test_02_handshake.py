"""Checks of sheet 02: parsing headers, and finding the three frames that open a connection."""

import random
from functools import cache

from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import PLAIN, REPORT_FRAME, Case, Talk, Tape, line, shipped

ETHERNET_HEADER = 14


@cache
def made_up(seed: int) -> Case:
    """Return a connection with what recordings seldom have: IPv4 options, TCP options on every segment, padded frames."""
    dice = random.Random(f"sheet 02 {seed}")
    tape = Tape(dice)
    for options in (b"", b"\x94\x04\x00\x00", b"\x07\x0b\x04" + dice.randbytes(8) + b"\x00"):
        talk = Talk(
            tape,
            ip_options=options,
            timestamps=options[:1] == b"\x07" or (not options and dice.random() < 0.5),
        )
        talk.open()
        for _ in range(3):
            who = dice.choice(("client", "server"))
            talk.say(who, line(dice).encode())
            talk.acknowledge("server" if who == "client" else "client")
        talk.segment(
            "client",
            "URG PSH ACK",
            talk.sent["client"],
            talk.sent["server"],
            b"!",
            window=dice.randrange(1 << 16),
        )
        talk.segment("server", "RST", talk.sent["server"], None, window=0)
    return tape.case(f"IPv4 and TCP options, short frames, seed {seed}")


def cases(seed: int) -> list[Case]:
    return [shipped(REPORT_FRAME), shipped(PLAIN), made_up(seed)]


def some_frames(case: Case, dice: random.Random, most: int = 25) -> list[int]:
    """Return the numbers of frames that carry TCP: the first ones and a sample of the others."""
    numbers = [row["frame"] for row in case.rows]
    return sorted(set(numbers[:4] + dice.sample(numbers, min(most, len(numbers)))))


def each_frame(seed: int):
    dice = random.Random(f"which frames {seed}")
    for case in cases(seed):
        for number in some_frames(case, dice):
            yield case, number, case.segments, case.frame(number)


@task("parse_ethernet")
def test_parse_ethernet(student, seed):
    rules = {
        "": "An Ethernet II header has 14 bytes: destination 6, source 6, type 2; the payload follows (RFC 894).",
        "destination": "The destination is in the first 6 bytes, so that a switch can decide early; each byte "
        "two hex digits.",
        "source": "The source is in bytes 6 to 11, after the destination; each byte is written with two hex "
        "digits.",
        "type": "The type is a 16-bit number in network byte order: the high byte comes first (bytes 12 and 13).",
        "payload": "The header has 14 bytes: 6 + 6 + 2. The payload begins right after it, and nothing is cut off.",
    }
    for case, number, _, frame in each_frame(seed):
        right = {
            "destination": frame[:6].hex(":"),
            "source": frame[6:12].hex(":"),
            "type": frame[12] << 8 | frame[13],
            "payload": frame[ETHERNET_HEADER:],
        }
        given = f"frame {number} of {case.name}: {len(frame)} bytes, beginning {frame[:16].hex(' ')}"
        student.expect(
            "parse_ethernet", frame, right=right, given=given, rules=rules, case=case, frame=number
        )


@task("parse_ipv4")
def test_parse_ipv4(student, seed):
    rules = {
        "": "An IPv4 header has at least 20 bytes, laid out as in RFC 791 section 3.1, all numbers in network byte "
        "order.",
        "header_length": "The low four bits of the first byte (IHL) count 32-bit words, options included; the high "
        "four are the version.",
        "total_length": "Bytes 2 and 3 hold the length of the whole packet, header included, high byte first.",
        "ttl": "The time to live is byte 8.",
        "protocol": "The protocol is byte 9, after the time to live.",
        "source": "The source address is in bytes 12 to 15, before the destination.",
        "destination": "The destination address is in bytes 16 to 19, after the source.",
        "payload": "The payload begins after the header, options included, and the packet ends where its total "
        "length says: "
        "anything after that is padding of the Ethernet frame. That length includes the header.",
    }
    for case, number, segments, frame in each_frame(seed):
        packet = frame[ETHERNET_HEADER:]
        row = int((segments.number == number).argmax())
        source, destination = segments.endpoint(row)[0], segments.endpoint(row, destination=True)[0]
        tcp = int(segments.payload_offset[row]) - int(segments.header_length[row])
        header_length = tcp - int(segments.capture.offset[number - 1]) - ETHERNET_HEADER
        total = header_length + int(segments.header_length[row]) + int(segments.payload_length[row])
        right = {
            "header_length": header_length,
            "total_length": total,
            "ttl": packet[8],
            "protocol": packet[9],
            "source": source,
            "destination": destination,
            "payload": packet[header_length:total],
        }
        given = f"the packet in frame {number} of {case.name}: {len(packet)} bytes, beginning {packet[:24].hex(' ')}"
        student.expect("parse_ipv4", packet, right=right, given=given, rules=rules, case=case, frame=number)


@task("parse_tcp")
def test_parse_tcp(student, seed):
    rules = {
        "": "A TCP header has at least 20 bytes, laid out as in RFC 9293 section 3.1, all numbers in network byte "
        "order.",
        "source_port": "The source port is in bytes 0 and 1, high byte first.",
        "destination_port": "The destination port is in bytes 2 and 3, after the source port, high byte first.",
        "seq": "The sequence number is in bytes 4 to 7: 32 bits, high byte first, never negative.",
        "ack": "The acknowledgement number is in bytes 8 to 11: 32 bits, high byte first, never negative.",
        "header_length": "The high four bits of byte 12 (data offset) count 32-bit words, options included.",
        "flags": "Byte 13, from its lowest bit: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32; the set holds exactly those "
        "that are set.",
        "window": "The window is in bytes 14 and 15, as on the wire, high byte first; do not scale it.",
        "payload": "The payload begins where the header ends, options included, and extends to the end of the segment.",
    }
    for case, number, segments, _ in each_frame(seed):
        i = int((segments.number == number).argmax())
        payload = bytes(segments.payload(i))
        header_length = int(segments.header_length[i])
        start = int(segments.payload_offset[i]) - header_length
        segment = bytes(segments.capture.data[start : start + header_length]) + payload
        row = case.rows[i]
        right = {
            "source_port": int(segments.sport[i]),
            "destination_port": int(segments.dport[i]),
            "seq": row["seq"],
            "ack": row["ack"],
            "header_length": header_length,
            "flags": row["flags"],
            "window": row["window"],
            "payload": payload,
        }
        given = f"the segment in frame {number} of {case.name}: {len(segment)} bytes, beginning {segment[:24].hex(' ')}"
        student.expect("parse_tcp", segment, right=right, given=given, rules=rules, case=case, frame=number)


@cache
def openings(seed: int) -> list[tuple[str, list[str], Case]]:
    """Return ways in which connections are established, each with the steps for the story."""
    found = []

    def add(name, steps, play):
        dice = random.Random(f"opening {name} {seed}")
        tape = Tape(dice)
        play(tape, dice)
        found.append((name, steps, tape.case(name)))

    def plain(tape, dice):
        Talk(tape).open().say("client", b"Brandon")

    def wrapping(tape, dice):
        Talk(tape, isns=((1 << 32) - 1, (1 << 32) - 1)).open().say("client", b"Brandon")

    def lost_syn(tape, dice):
        talk = Talk(tape)
        for _ in range(dice.randint(1, 3)):
            talk.segment("client", "SYN", 0, None)
            tape.wait(1_000_000)
        talk.open()

    def two_at_once(tape, dice):
        one, other = Talk(tape), Talk(tape, client="10.27.27.49")
        one.segment("client", "SYN", 0, None)
        other.segment("client", "SYN", 0, None)
        other.segment("server", "SYN ACK", 0, 1)
        one.segment("server", "SYN ACK", 0, 1)
        one.segment("client", "ACK", 1, 1)
        other.segment("client", "ACK", 1, 1)

    def late_ack(tape, dice):
        """Open two at once: the SYN and the SYN-ACK of one come before those of the other, but its ACK comes after."""
        one, other = Talk(tape, client="10.27.27.49"), Talk(tape)
        for talk in (one, other):
            talk.segment("client", "SYN", 0, None)
        for talk in (one, other):
            talk.segment("server", "SYN ACK", 0, 1)
        for talk in (other, one):
            talk.segment("client", "ACK", 1, 1)

    def unfinished(tape, dice):
        """Leave a handshake without its ACK, and repeat its SYN-ACK, before another one that is finished."""
        half = Talk(tape, client="10.27.27.43")
        half.segment("client", "SYN", 0, None)
        for _ in range(dice.randint(1, 3)):
            half.segment("server", "SYN ACK", 0, 1)
            tape.wait(1_000_000)
        Talk(tape).open().say("client", b"Brandon")

    def given_up(tape, dice):
        """Let a client answer the SYN-ACK with a RST, which acknowledges it, and open another connection."""
        scan = Talk(tape, client="10.27.27.43")
        scan.segment("client", "SYN", 0, None)
        scan.segment("server", "SYN ACK", 0, 1)
        scan.segment("client", "RST ACK", 1, 1)
        Talk(tape).open()

    def never_finished(tape, dice):
        half = Talk(tape)
        half.segment("client", "SYN", 0, None)
        for _ in range(3):
            half.segment("server", "SYN ACK", 0, 1)
            tape.wait(1_000_000)

    def same_host(tape, dice):
        base = dice.randrange(40_000, 60_000)
        one, other = (Talk(tape, ports=(base + place, 9898)) for place in range(2))
        one.segment("client", "SYN", 0, None)
        other.open()
        one.segment("server", "SYN ACK", 0, 1)

    def refused_first(tape, dice):
        closed = Talk(tape, ports=(dice.randrange(40_000, 65_000), 9899))
        closed.segment("client", "SYN", 0, None)
        closed.segment("server", "RST ACK", 0, 1)
        Talk(tape).open()

    def in_the_middle(tape, dice):
        old = Talk(tape, client="10.27.27.43")
        old.say("client", b"the recording began too late for my SYN")
        old.acknowledge("server")
        Talk(tape).open()

    def old_answer(tape, dice):
        talk = Talk(tape)
        talk.segment("client", "SYN", 0, None)
        talk.segment(
            "server", "SYN ACK", 0, dice.randrange(50_000, 90_000)
        )  # an answer to something long ago
        talk.segment("client", "RST", dice.randrange(50_000, 90_000), None)
        talk.open()

    def repeated_answer(tape, dice):
        talk = Talk(tape)
        talk.segment("client", "SYN", 0, None)
        talk.segment("server", "SYN ACK", 0, 1)
        tape.wait(1_000_000)
        talk.segment("server", "SYN ACK", 0, 1)
        talk.segment("client", "ACK", 1, 1)

    def syn_twice(tape, dice):
        """Open a connection whose sides drew the same number and whose SYN the network doubled: the server repeats its ACK."""
        isn = dice.randrange(1 << 32)
        talk = Talk(tape, isns=(isn, isn))
        talk.segment("client", "SYN", 0, None)
        talk.segment("server", "SYN ACK", 0, 1)
        talk.segment("client", "SYN", 0, None)
        talk.segment("server", "ACK", 1, 1)
        talk.segment("client", "ACK", 1, 1)

    def nobody(tape, dice):
        talk = Talk(tape)
        for _ in range(3):
            talk.segment("client", "SYN", 0, None)
            tape.wait(1_000_000)

    add("one connection", ["client: SYN", "server: SYN, ACK", "client: ACK"], plain)
    add("numbers at the edge", ["both initial sequence numbers are 2**32 - 1"], wrapping)
    add(
        "a SYN that was lost",
        ["client: SYN, no answer", "client: the same SYN again", "server: SYN, ACK"],
        lost_syn,
    )
    add(
        "a handshake that never finishes",
        ["client A: SYN", "server: SYN, ACK", "no ACK from A", "client B: SYN, then SYN-ACK and ACK"],
        unfinished,
    )
    add(
        "two clients at once",
        ["client A: SYN", "client B: SYN", "server answers B, then A", "client A: ACK", "client B: ACK"],
        two_at_once,
    )
    add(
        "two clients at once, and the first to begin is the last to finish",
        ["clients A and B: SYN", "server answers A, then B", "client B: ACK", "client A: ACK"],
        late_ack,
    )
    add(
        "a client that gives up",
        ["client A: SYN", "server: SYN, ACK", "client A: RST, ACK", "client B: SYN, then SYN-ACK and ACK"],
        given_up,
    )
    add("no handshake that finishes", ["client: SYN", "server: SYN, ACK, three times"], never_finished)
    add(
        "two connections of one host",
        ["port A: SYN", "port B: SYN, SYN-ACK, ACK", "server answers A"],
        same_host,
    )
    add(
        "a closed port first",
        ["client: SYN to a closed port", "server: RST, ACK", "client: SYN to the open one"],
        refused_first,
    )
    add(
        "another connection in progress",
        ["data and an ACK of an older connection", "then a handshake"],
        in_the_middle,
    )
    add(
        "an answer to something else",
        ["client: SYN", "server: SYN, ACK of another number", "client: RST", "client: SYN"],
        old_answer,
    )
    add(
        "an answer sent twice",
        ["client: SYN", "server: SYN, ACK", "server: the same again", "client: ACK"],
        repeated_answer,
    )
    add(
        "a SYN that the network doubled",
        ["client: SYN", "server: SYN, ACK", "the SYN once more", "server: ACK"],
        syn_twice,
    )
    add("no answer at all", ["client: SYN, three times"], nobody)
    return found


@task("find_handshake")
def test_find_handshake(student, seed):
    one_rule = (
        "The first connection is the one whose handshake finishes first: the one whose third frame comes first in "
        "the recording. A SYN-ACK answers the SYN from the other direction, with the same endpoints, whose sequence "
        "number + 1 it acknowledges. The third frame comes from the initiator, carries ACK and neither SYN nor RST, "
        "and acknowledges the SYN-ACK's sequence number + 1 (RFC 9293 section 3.5, modulo 2**32). Of a repeated SYN, "
        "the last before the SYN-ACK counts; of a repeated SYN-ACK, the first. If no handshake finishes, the result "
        "is None."
    )
    recording = shipped(PLAIN)
    for name, steps, case in [("a chat", ["Brandon joins first"], recording), *openings(seed)]:
        found = [flow.handshake for flow in case.flows if flow.handshake and flow.handshake.ack]
        first = min(found, key=lambda handshake: handshake.ack, default=None)
        right = (first.syn, first.syn_ack, first.ack) if first else None
        segments = [
            {key: row[key] for key in ("frame", "source", "destination", "seq", "ack", "flags")}
            for row in case.rows
        ]
        given = f"{len(segments)} segments of {case.name}" + (f": {name}" if name not in case.name else "")
        got = student.call("find_handshake", segments, given=given, rule=one_rule, case=case, steps=steps)
        frame = _wrong_frame(right, got, segments)
        student.compare("find_handshake", right, got, given, {"": one_rule}, case, frame, steps)


def _wrong_frame(right, got, segments) -> int | None:
    """Return the wrong frame that the student named: it may be shown, the right one may not.

    Where the student found nothing, it is the first SYN of another handshake: the one that hides the right one.
    """
    if right is not None and got is None:
        syns = [one["frame"] for one in segments if "SYN" in one["flags"] and one["frame"] not in right]
        return next(iter(syns), None)
    if right is None or not isinstance(got, (tuple, list)):
        return got[0] if isinstance(got, (tuple, list)) and got and isinstance(got[0], int) else None
    return next(
        (mine for one, mine in zip(right, got, strict=False) if one != mine and isinstance(mine, int)), None
    )
