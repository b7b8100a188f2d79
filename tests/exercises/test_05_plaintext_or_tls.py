"""Checks of sheet 05: records, the lengths that they reveal, and a measure of exposure."""

import json
import random

from lab.dissect.tls.records import APPLICATION_DATA, HANDSHAKE, parse_records, read_records
from lab.exercises.checks.tasks import task
from lab.exercises.checks.traffic import PLAIN, TLS12, TLS13, line, shipped

RECORDED = {"TLS 1.2": TLS12, "TLS 1.3": TLS13}


@task("parse_records")
def test_parse_records(student, seed):
    rules = {
        "": "A record is type 1 byte, version 2, length 2 (high byte first), then that many bytes of fragment; the "
        "next one begins right after it, "
        "wherever segments begin. Leave out a record whose end is missing (RFC 8446 section 5.1).",
        "length": "The length is in bytes 3 and 4, high byte first, and counts the fragment only, without the 5 "
        "bytes of header.",
        "fragment": "The fragment begins after the 5 bytes of the header and has as many bytes as the length says.",
        "type": "The type is the first byte of the record, and every type is a record; the next record begins "
        "after this one's fragment.",
        "version": "The version is in bytes 1 and 2, high byte first.",
    }
    dice = random.Random(f"sheet 05 records {seed}")
    for path in RECORDED.values():
        case = shipped(path)
        for flow in case.flows:
            for who, stream in (("initiator", flow.from_initiator), ("responder", flow.from_responder)):
                records = read_records(stream)
                cuts = [len(stream.data), *(dice.randrange(len(stream.data)) for _ in range(3))]
                for cut in cuts:
                    given = f"the first {cut} of {len(stream.data)} bytes from the {who} of {flow.initiator} in {case.name}"
                    _expect_records(student, stream.data[:cut], given, rules, case, records)
    for _ in range(8):
        stream = b""
        for _ in range(dice.randint(1, 6)):
            fragment = dice.randbytes(dice.choice([0, 1, 5, 255, 256, 300, 16_384]))
            stream += (
                bytes([dice.choice([20, 21, 22, 23]), 3, dice.choice([1, 3])])
                + len(fragment).to_bytes(2, "big")
                + fragment
            )
        stream += dice.choice([b"", b"\x17", b"\x17\x03\x03\x00", b"\x17\x03\x03\x00\x05abcd"])
        _expect_records(
            student, stream, f"{len(stream)} bytes of records made up for this check", rules, None, None
        )


def _expect_records(student, data, given, rules, case, recorded) -> None:
    right = [
        {"type": one.content_type, "version": one.version, "length": one.length, "fragment": one.payload}
        for one in parse_records(data)
    ]

    def frame(found):
        place = len(found.got) if found.kind == "count" else found.item  # where the first one is missing
        return (
            recorded[place].frame_number if recorded and place is not None and place < len(recorded) else None
        )

    student.expect("parse_records", data, right=right, given=given, rules=rules, case=case, frame=frame)


@task("infer_lengths")
def test_infer_lengths(student, seed):
    rule = (
        "Only application data (type 23) carries messages. What encryption adds is known: a tag of 16 bytes "
        "(AES-GCM), in TLS 1.2 an explicit nonce of 8 as "
        "well (RFC 5288), in TLS 1.3 one byte of content type (RFC 8446 section 5.2). The record's header is not in "
        "its length."
    )
    dice = random.Random(f"sheet 05 lengths {seed}")
    for version, path in RECORDED.items():
        case = shipped(path)
        manifest = json.loads((path.parent / "manifest.json").read_text(encoding="utf-8"))
        [recording] = [one for one in manifest["recordings"] if one["file"] == path.name]
        for user, flow in zip(recording["users"], case.flows, strict=True):
            said = [
                event["text"]
                for event in recording["events"]
                if event["who"] == user["name"] and event["action"] == "say"
            ]
            sent = [user["name"], "!ShowUserHasConnected", "!GetAllActiveUsers", *said, "!Exit"]
            records = [
                one for one in read_records(flow.from_initiator) if one.content_type == APPLICATION_DATA
            ]
            chat = (
                records[1:] if version == "TLS 1.3" else records
            )  # in 1.3 the first is the encrypted Finished
            chat = chat[: len(sent)]  # behind them a closing alert, which 1.3 hides in the same type
            right = [len(text.encode()) for text in sent]
            given = f"{len(chat)} records ({version}) from {flow.initiator} in {case.name}"
            student.expect(
                "infer_lengths",
                [(one.content_type, one.length) for one in chat],
                version,
                right=right,
                given=given,
                rules={"": rule},
                case=case,
                frame=lambda found, chat=chat: (
                    chat[found.item].frame_number if found.item is not None else None
                ),
            )
        overhead = 17 if version == "TLS 1.3" else 24
        kinds = [(kind, dice.randint(overhead + 1, 900)) for kind in (22, 20, 22, 23, 23, 21, 23)]
        right = [length - overhead for kind, length in kinds if kind == 23]
        given = f"records made up for this check ({version}): handshake, change cipher spec, alerts and data"
        student.expect("infer_lengths", kinds, version, right=right, given=given, rules={"": rule})


@task("find_finished")
def test_find_finished(student, seed):
    rule = (
        "TLS 1.2: the record right after the client's change cipher spec, if it is of type 22. TLS 1.3: the first "
        "record of type 23, if its length is that of a header, a hash of 32 or 48 bytes, and 17. An alert in its place, "
        "or nothing: None (RFC 5246 section 7.4.9, RFC 8446 section 4.4.4)."
    )

    def ask(records, version, right, given, case=None, frames=None):
        student.expect(
            "find_finished", records, version, right=right, given=given, rules={"": rule}, case=case,
            frame=frames[len(records) - 1] if frames else None,
        )  # fmt: skip

    dice = random.Random(f"sheet 05 finished {seed}")
    for version, path in RECORDED.items():
        case = shipped(path)
        for flow in case.flows:
            records = read_records(flow.from_initiator)
            frames = [one.frame_number for one in records]
            [right] = [
                place for place, one in enumerate(records)
                if one.length in (40, 69) and (version == "TLS 1.3" or one.content_type == HANDSHAKE)
            ][:1]  # fmt: skip
            for end in (len(records), right + 1, right, dice.randint(1, right)):
                given = f"the first {end} records ({version}) from {flow.initiator} in {case.name}"
                pairs = [(one.content_type, one.length) for one in records[:end]]
                ask(pairs, version, right if right < end else None, given, case, frames)
    for name, version, records, right in _openings(dice):
        ask(records, version, right, f"records made up for this check ({version}): {name}, {records!r}")


def _openings(dice):
    """Yield beginnings of connections that the recordings do not have."""
    data = [(23, dice.choice((53, 69, dice.randint(18, 300)))) for _ in range(3)]
    hello, key, change = (22, dice.randint(150, 517)), (22, dice.randint(37, 102)), (20, 1)
    for finished in ((23, 53), (23, 69)):
        yield "without change cipher spec", "TLS 1.3", [hello, finished, *data], 1
        yield "two hellos", "TLS 1.3", [hello, change, hello, finished, *data], 3
    yield "a refusal", "TLS 1.3", [hello, change, (23, 19)], None
    yield "a refusal, then more", "TLS 1.3", [hello, change, (23, 19), (23, 53)], None
    yield "an alert in the clear", "TLS 1.3", [hello, (21, 2)], None
    yield "a session resumed", "TLS 1.2", [hello, change, (22, 40), *data], 2
    yield "ChaCha20", "TLS 1.2", [hello, key, change, (22, 32), *data], 3
    yield "a refusal", "TLS 1.2", [hello, (21, 2)], None
    yield "an alert after change cipher spec", "TLS 1.2", [hello, key, change, (21, 26), (22, 40)], None
    yield "nothing", dice.choice(list(RECORDED)), [], None


@task("exposure")
def test_exposure(student, seed):
    rules = {
        "": "A line with the right speaker and the right text is right, as often as it was said; each time it was "
        "said counts once.",
        "right": "A line is right if the speaker and the whole text are exactly the same, and no more often than it "
        "was said.",
        "wrong": "A line that was read but never said, or read more often than it was said, counts as wrong: making things "
        "up must not pay.",
        "total": "The total is the number of lines said; repeated ones count each time.",
        "share": "The share is right divided by what was said, not by what was read; 0.0 if nothing was said.",
    }
    dice = random.Random(f"sheet 05 exposure {seed}")
    recorded = shipped(PLAIN)
    stories = [("the chat", *_from_recording(recorded), recorded)]
    names = ["Brandon", "John", "Alice"]
    for name, spoil in (
        ("nothing was said", lambda reads, said: said.clear()),
        ("an empty room", lambda reads, said: (reads.clear(), said.clear())),
        (
            "one line said twice, heard twice",
            lambda reads, said: (
                said.extend([said[0]]),
                reads.append((names.index(said[0][0]), said[0][1].encode())),
            ),
        ),
        (
            "a line heard twice, said once",
            lambda reads, said: reads.append((names.index(said[0][0]), said[0][1].encode())),
        ),
        ("a line that was never said", lambda reads, said: reads.append((0, b"buy my shares"))),
        ("a line by somebody else", lambda reads, said: reads.append((1, b"that was me"))),
        (
            "a line in different case",
            lambda reads, said: (said.append(("Alice", "Hello")), reads.append((2, b"HELLO"))),
        ),
        (
            "half a line",
            lambda reads, said: (said.append(("Brandon", "half a line")), reads.append((0, b"half a"))),
        ),
        (
            "lines that were not recorded",
            lambda reads, said: said.extend([("Alice", "off the record"), ("Alice", "off the record")]),
        ),
        (
            "a line with spaces around it",
            lambda reads, said: (said.append(("John", "hm")), reads.append((1, b" hm "))),
        ),
        (
            "broken characters",
            lambda reads, said: (said.append(("John", "na\ufffdve")), reads.append((1, b"na\xffve"))),
        ),
    ):
        said = [(dice.choice(names), f"{line(dice)} {number}") for number in range(5)]
        reads = [(place, who.encode()) for place, who in enumerate(names)]
        reads += [
            (names.index(who), command)
            for command in (b"!ShowUserHasConnected", b"!GetAllActiveUsers")
            for who in names
        ]
        reads += [(names.index(who), text.encode()) for who, text in said]
        if name == "a line by somebody else":
            said.append(("Brandon", "that was me"))
        spoil(reads, said)
        reads += [(place, b"!Exit") for place in range(3)] if reads else []
        stories.append((name, reads, said, None))
    for name, reads, said, case in stories:
        right = _score(reads, said)
        given = f"{name}: {len(reads)} payloads, {len(said)} lines said" + (
            f", from {case.name}" if case else ""
        )
        steps = [f"said: {said!r:.90}", f"on the wire: {[data for _, data in reads[3:]]!r:.90}"]
        student.expect("exposure", reads, said, right=right, given=given, rules=rules, case=case, steps=steps)


def _from_recording(case):
    manifest = json.loads((case.path.parent / "manifest.json").read_text(encoding="utf-8"))
    [recording] = [one for one in manifest["recordings"] if one["file"] == case.path.name]
    reads = []
    for number, flow in enumerate(case.flows):
        stream = flow.from_initiator
        reads += [
            (piece.time_ns, number, stream.data[piece.offset : piece.offset + piece.length])
            for piece in stream.pieces
        ]
    said = [(event["who"], event["text"]) for event in recording["events"] if event["action"] == "say"]
    return [(number, data) for _, number, data in sorted(reads)], said


def _score(reads, said) -> dict:
    from collections import Counter

    names, heard = {}, Counter()
    for connection, data in reads:
        text = data.decode(errors="replace")
        if names.setdefault(connection, text) is text or text.startswith("!"):
            continue
        heard[names[connection], text] += 1
    truth = Counter(said)
    right = (heard & truth).total()
    return {
        "right": right,
        "wrong": heard.total() - right,
        "total": len(said),
        "share": right / len(said) if said else 0.0,
    }
