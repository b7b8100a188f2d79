"""Checks of sheet 03: relative numbers, round trips, and reading the report wire from payloads."""

import random
import struct
from functools import cache

from lab.chat import events, report_wire
from lab.dissect.fields.checksums import ones_sum, pseudo_header
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import (
    PLAIN,
    REPORT_FRAME,
    TLS13,
    Case,
    Talk,
    Tape,
    line,
    near_wrap,
    shipped,
)


def chatter(tape: Tape, talk: Talk, turns: int) -> None:
    dice = tape.dice
    for _ in range(turns):
        who = dice.choice(("client", "server"))
        talk.say(who, line(dice).encode())
        if dice.random() < 0.7:
            talk.acknowledge("server" if who == "client" else "client")


@cache
def numbered(seed: int) -> list[Case]:
    """Return recordings, and synthetic connections that run side by side and whose numbers wrap around."""
    dice = random.Random(f"sheet 03 numbers {seed}")
    tape = Tape(dice)
    wrapping = Talk(tape, isns=(near_wrap(dice), near_wrap(dice)))
    other = Talk(tape, client="10.27.27.49")
    same_host = Talk(tape, client="10.27.27.49")
    wrapping.open()
    other.open()
    same_host.open()
    for _ in range(6):
        for talk in (wrapping, other, same_host):
            chatter(tape, talk, 1)
    wrapping.close()
    other.segment("server", "RST", other.sent["server"], None)
    return [
        shipped(PLAIN),
        shipped(TLS13),
        tape.case(f"three connections, of which one wraps around, seed {seed}"),
    ]


@task("relative_numbers")
def test_relative_numbers(student, seed):
    rule = (
        "A relative number counts from the initial sequence number in the SYN of the side whose bytes it counts: "
        "seq the "
        "sender's own, ack the other side's; each connection (both addresses and both ports) has its own two; the "
        "SYN itself "
        "is number 0 and takes one; modulo 2**32; without the ACK flag the relative ack is 0 (RFC 9293 section 3.4)."
    )
    for case in numbered(seed):
        segments = case.segments
        right = [
            (int(seq), int(ack) if row["flags"] & {"ACK"} else 0)
            for seq, ack, row in zip(segments.relative_seq, segments.relative_ack, case.rows, strict=True)
        ]
        given = f"{len(right)} segments of {len(case.flows)} connections in {case.name}"
        student.expect(
            "relative_numbers",
            case.rows,
            right=right,
            given=given,
            rules={"": rule},
            case=case,
            frame=lambda found, case=case: (
                case.rows[found.item]["frame"]
                if found.item is not None and found.item < len(case.rows)
                else None
            ),
        )


@cache
def conversations_with_acks(seed: int) -> list[tuple[str, list[str], Case]]:
    """Return conversations with different kinds of acknowledgement, each with its steps."""
    found = []

    def add(name, steps, play, wrap=False):
        dice = random.Random(f"round trips {name} {seed}")
        tape = Tape(dice)
        talk = Talk(tape, isns=(near_wrap(dice, 20), dice.randrange(1 << 32)) if wrap else None).open()
        play(tape, talk, dice)
        found.append((name, steps, tape.case(name)))

    def each(tape, talk, dice):
        for _ in range(3):
            talk.say("client", line(dice).encode())
            tape.wait(dice.randrange(1000, 40_000))
            talk.acknowledge("server")

    def cumulative(tape, talk, dice):
        for _ in range(dice.randint(2, 4)):
            talk.say("client", line(dice).encode())
            tape.wait(dice.randrange(1000, 40_000))
        talk.acknowledge("server")

    def other_data_first(tape, talk, dice):
        talk.say("server", b"said before yours has arrived")  # its ACK number does not cover what comes
        talk.say("client", line(dice).encode())
        talk.say("server", b"on its way already")
        tape.wait(20_000)
        talk.acknowledge("server")
        talk.acknowledge("client")

    def partial(tape, talk, dice):
        talk.say("client", b"x" * 40)
        tape.wait(5_000)
        talk.acknowledge("server", talk.sent["client"] - dice.randint(1, 39))
        tape.wait(5_000)
        talk.acknowledge("server")

    def sent_again(tape, talk, dice):
        text = line(dice).encode()
        seq = talk.sent["client"]
        talk.say("client", text)
        tape.wait(200_000)
        talk.again("client", seq, text)
        tape.wait(3_000)
        talk.acknowledge("server")
        talk.say("client", b"and on")
        tape.wait(3_000)
        talk.acknowledge("server")

    def never(tape, talk, dice):
        talk.say("client", b"acknowledged")
        tape.wait(1_000)
        talk.acknowledge("server")
        talk.say("client", b"not any more")

    add(
        "every line is acknowledged",
        ["the host sends a line", "the other side acknowledges it", "three times"],
        each,
    )
    add("one ACK for several", ["the host sends several segments", "one ACK covers them all"], cumulative)
    add(
        "data crosses on the way",
        ["the other side sends with an old ack number", "then it acknowledges"],
        other_data_first,
    )
    add(
        "acknowledged in parts",
        ["the host sends 40 bytes", "an ACK covers some of them", "a second one all"],
        partial,
    )
    add(
        "sent again",
        ["the host sends a line", "no answer: the same line again", "an ACK", "another line, an ACK"],
        sent_again,
    )
    add("never acknowledged", ["a line and its ACK", "a line, and the recording ends"], never)
    add("numbers that wrap around", ["an ACK each, with the sequence number passing 2**32"], each, wrap=True)
    return found


@task("round_trip_times")
def test_round_trip_times(student, seed):
    rule = (
        "An ACK covers a segment when its number is at or beyond the segment's last byte + 1, compared modulo "
        "2**32; one ACK may cover "
        "several segments; a repeated number covers nothing new. Count the microseconds from the segment to the "
        "first such ACK. Only "
        "segments with payload have an entry, unless they were sent more than once (Karn's rule, RFC 6298 section 3)."
    )
    for name, steps, case in conversations_with_acks(seed):
        host = case.rows[0]["source"]
        right = _round_trips(case, host)
        given = f"{len(case.rows)} segments recorded at {host}, {name}: {case.name}"

        def frame(found, case=case, right=right):
            if found.item is None or found.item >= len(right):
                return None
            return right[found.item][0] if found.path[-1] == 1 else None

        student.expect(
            "round_trip_times",
            case.rows,
            host,
            right=right,
            given=given,
            rules={"": rule},
            case=case,
            frame=frame,
            steps=steps,
        )


def _round_trips(case: Case, host: str) -> list[tuple[int, int]]:
    """Compute the round trips from the dissector's relative numbers, which do not wrap around here."""
    segments = case.segments
    rows = list(enumerate(case.rows))
    sent: dict[int, list[int]] = {}
    for i, row in rows:
        if row["source"] == host and row["payload"]:
            sent.setdefault(int(segments.relative_seq[i]), []).append(i)
    trips = []
    for seq, places in sorted(sent.items(), key=lambda item: item[1]):
        end = seq + len(case.rows[places[0]]["payload"])
        covering = [
            row["time_us"]
            for i, row in rows
            if i > places[0] and row["source"] != host and int(segments.relative_ack[i]) >= end
        ]
        if len(places) == 1 and covering:
            trips.append((case.rows[places[0]]["frame"], covering[0] - case.rows[places[0]]["time_us"]))
    return trips


@cache
def summed(seed: int) -> Case:
    """Return connections with IP options, odd lengths and padded frames; some segments carry a wrong checksum."""
    dice = random.Random(f"sheet 03 checksums {seed}")
    tape = Tape(dice)
    for talk in (Talk(tape), Talk(tape, ip_options=bytes([1, 1, 1, 0]), timestamps=True)):
        talk.open()
        chatter(tape, talk, 4)
        talk.say("client", b"odd")
        talk.say("server", b"\xff" * 1459)
    tape.frames.append(carry_twice(*tape.frames[-1]))
    for place in dice.sample(range(len(tape.frames) - 1), 8):
        time_ns, frame = tape.frames[place]
        at = 14 + (frame[14] & 15) * 4 + dice.choice((4, 16))  # in the sequence number, or in the checksum
        spoilt = bytes([frame[at] ^ dice.randrange(1, 256)])
        tape.frames[place] = time_ns, frame[:at] + spoilt + frame[at + 1 :]
    return tape.case(f"two connections, seed {seed}")


def carry_twice(time_ns: int, frame: bytes) -> tuple[int, bytes]:
    """Return the frame with another urgent pointer, so that adding the carries once leaves another carry."""
    start, total = 14 + (frame[14] & 15) * 4, 14 + int.from_bytes(frame[16:18], "big")
    segment = frame[start : start + 16] + bytes(4) + frame[start + 20 : total]
    covered = (
        pseudo_header(frame[26:30], frame[30:34], 6, len(segment)) + segment + b"\0" * (len(segment) % 2)
    )
    without = sum(struct.unpack(f">{len(covered) // 2}H", covered))
    sums = ((without + word, word) for word in range(1 << 16))
    pointer = next(word for found, word in sums if (found & 0xFFFF) + (found >> 16) > 0xFFFF)
    return time_ns + 1000, frame[: start + 18] + struct.pack(">H", pointer) + frame[start + 20 :]


def right_checksum(packet: bytes) -> int:
    header_length, total_length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    segment = (
        packet[header_length : header_length + 16] + bytes(2) + packet[header_length + 18 : total_length]
    )
    return ~ones_sum(pseudo_header(packet[12:16], packet[16:20], 6, len(segment)) + segment) & 0xFFFF


@task("tcp_checksum")
def test_tcp_checksum(student, seed):
    rule = (
        "Sum the pseudo-header (both addresses, zero, 6, length of the segment without the IP header) and the segment "
        "with zero for its own field, in words of 16 bits, high byte first; an odd end gets a zero byte behind it; add "
        "carries at the low end until there is none; complement the sum (RFC 1071 section 1, RFC 9293 section 3.1)."
    )
    for case in (shipped(REPORT_FRAME), shipped(PLAIN), summed(seed)):
        for number in case.segments.number.tolist()[:60]:
            packet = case.frame(number)[14:]
            given = f"frame {number} of {case.name}, from its IPv4 header on: {len(packet)} bytes"
            student.expect(
                "tcp_checksum", packet, right=right_checksum(packet), given=given, rules={"": rule},
                case=case, frame=number,
            )  # fmt: skip


@task("decode_report")
def test_decode_report(student, seed):
    rules = {
        "": "The first read of a connection is the name, whatever it contains; a command is exactly one of three texts; "
        "anything else is "
        "a line. Text is UTF-8 (RFC 3629), and invalid bytes become U+FFFD."
    }
    dice = random.Random(f"sheet 03 report {seed}")
    case = shipped(PLAIN)
    conversations = [
        (
            f"the payloads from {flow.initiator} in {case.name}",
            [
                flow.from_initiator.data[piece.offset : piece.offset + piece.length]
                for piece in flow.from_initiator.pieces
            ],
            [piece.frame_number for piece in flow.from_initiator.pieces],
        )
        for flow in case.flows
    ]
    odd_names = ["!Exit", "Zoë ☕", "!GetAllActiveUsers", "*** John Connected ***"]
    odd_lines = [
        "!exit",
        "!Exit now",
        " !Exit",
        "!ShowUserHasConnected!Exit",
        "naïve ☕",
        "!",
        "<Bob> hi",
        " blanks around ",
        "bye\n",
    ]
    for name in odd_names:
        lines = dice.sample(odd_lines, 5) + [line(dice) for _ in range(3)]
        dice.shuffle(lines)
        reads = [
            name.encode(),
            b"!ShowUserHasConnected",
            b"!GetAllActiveUsers",
            *(text.encode() for text in lines),
        ]
        reads += ["naïve".encode()[:3], "naïve".encode()[3:], b"\xff\xfe", b"!Exit"]
        conversations.append(
            (f"reads made up for this check: {len(reads)} of a user called {name!r}", reads, None)
        )
    for given, reads, frames in conversations:
        right = [_event(report_wire.read_request(read)) for read in reads]
        right[0] = ("name", reads[0].decode(errors="replace"))
        student.expect(
            "decode_report",
            reads,
            right=right,
            given=given,
            rules=rules,
            case=case if frames else None,
            frame=lambda found, frames=frames: (
                frames[found.item] if frames and found.item is not None else None
            ),
            steps=[f"{len(reads)} reads, one after the other"],
        )


def _event(request: events.Request) -> tuple:
    match request:
        case events.Announce():
            return ("announce",)
        case events.ListUsers():
            return ("list",)
        case events.Leave():
            return ("leave",)
        case events.Say(text):
            return ("say", text)
