"""The right answers about a student's capture: derived from the recording, stored nowhere.

``derive`` reads the student's two recordings as an analyst would, with ``lab.dissect``. The profile only says what the
questions are about (whose connection, which word). ``wrong_conversation`` says whether it is this student's recording.
``derive_attack`` also takes the attack's kind and victim from the profile. The attacker's MAC is in no other student's
recording: if no frame is forged with it, there are no right answers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.chat import events, report_wire
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import FIN
from lab.dissect.tls.records import APPLICATION_DATA, Record, read_records
from lab.harness.forged_frames import frames_in_anothers_name
from lab.harness.student_capture import ATTACK, PLAIN, TLS, attack_words, questions
from lab.harness.student_profile import Profile

TLS13_OVERHEAD = 16 + 1  # tag and content type (RFC 8446 section 5.2)
LONGEST_NAMES = 200  # characters of what the users of another conversation are called


class NoAnswer(ValueError):
    """The recording does not hold what the questions ask for; the text says what is missing."""


@dataclass(frozen=True)
class ChatLine:
    """One chat line on its way to the server."""

    name: str
    text: str
    frame: int
    relative_seq: int
    time_ns: int


def transcript(flows: list[Flow]) -> tuple[dict[str, Flow], list[ChatLine]]:
    """Return the flow of each user, in order of arrival; and all that was said, in order of time."""
    users: dict[str, Flow] = {}
    said = []
    for flow in sorted((flow for flow in flows if flow.handshake), key=lambda flow: flow.start_ns):
        stream, name = flow.from_initiator, None
        for piece in stream.pieces:
            read = stream.data[piece.offset : piece.offset + piece.length]
            if name is None:
                name = read.decode(errors="replace")
                users[name] = flow
            elif isinstance(request := report_wire.read_request(read), events.Say):
                relative = int(flow.segments.relative_seq[piece.row])
                said.append(ChatLine(name, request.text, piece.frame_number, relative, piece.time_ns))
    return users, sorted(said, key=lambda one: one.time_ns)


def derive(flows: list[Flow], tls: list[Flow], one: Profile) -> dict[str, list[Any]]:
    """Return the right answers to ``questions(one)``: for each key a list of those that are accepted.

    ``flows`` are the connections of the plaintext recording. Raise NoAnswer if the recordings do not contain the answers.
    """
    users, said = transcript(flows)
    if one.subject not in users:
        raise NoAnswer(f"nobody called {one.subject} is in {PLAIN}")
    with_word = [line for line in said if one.word in line.text]
    if len(with_word) != 1 or sum(one.secret in line.text for line in said) != 1:
        raise NoAnswer(f"{PLAIN} does not hold the lines that the questions are about")
    subject = users[one.subject]
    assert subject.handshake  # transcript() returns no others
    fins = subject.rows[subject.segments.flags[subject.rows] & FIN != 0]
    if not len(fins):
        raise NoAnswer(f"no FIN in the connection from {subject.initiator}")
    records = _tls_records(tls, list(users).index(one.subject))
    right: dict[str, list[Any]] = {
        "server_port": [subject.responder.port],
        "users": [list(users)],
        "syn_ack_frame": [subject.handshake.syn_ack],
        "client_isn": [subject.handshake.initiator_isn],
        "client_port": [subject.initiator.port],
        "who_said": [with_word[0].name],
        "word_relative_seq": [with_word[0].relative_seq],
        "lines_said": [len(said)],
        "secret": [one.secret],
        "retransmitted": _sent_twice(flows) or ["none"],
        "first_fin_frame": [int(subject.segments.number[fins[0]])],
        "tls_records": [len(records)],
        # The first record is the Finished message.
        "tls_longest": [max(record.length for record in records[1:]) - TLS13_OVERHEAD],
    }
    assert set(right) == {question.key for question in questions(one)}
    return right


def derive_attack(folder: Path | str, one: Profile) -> dict[str, list[Any]]:
    """Return the right answers to the questions about the attack, as ``derive`` does.

    Raise NoAnswer, and CaptureError or OSError if the recording cannot be read.
    """
    attack = one.attack
    mac, address = bytes.fromhex(attack.macs[1].replace(":", "")), f"{one.network}.{attack.number}"
    forged = frames_in_anothers_name(Path(folder) / ATTACK, mac, address)
    if not forged:
        raise NoAnswer(f"{ATTACK} is not the recording of {one.id}, or its forged frames are missing")
    attacked = f"{one.network}.{one.script.users.index(attack.user) + 11}"
    right = {"attacked": [attacked, attack.user], "attack": attack_words(attack.kind)}
    return {**right, "forged_frame": forged[:1]}


def wrong_conversation(flows: list[Flow], one: Profile) -> str | None:
    """Return why the plaintext recording is not this student's conversation, or None."""
    users, said = transcript(flows)
    if tuple(users) != one.script.users:
        names = ", ".join(users) or "nobody"
        return f"the users are {names:.{LONGEST_NAMES}}, not those of {one.id}"
    if tuple((line.name, line.text) for line in said) != one.script.lines:
        return f"the lines are not those of {one.id}"
    return None


def is_right(given: Any, accepted: list[Any]) -> bool:
    """Return whether an answer is accepted. For text, surrounding blanks and capital letters do not matter."""
    return any(_same(given, one) for one in accepted)


def _same(given: Any, right: Any) -> bool:
    if isinstance(given, bool) or type(given) is not type(right):
        return False
    if isinstance(right, str):
        return given.strip().casefold() == right.strip().casefold()
    if isinstance(right, list):
        return len(given) == len(right) and all(map(_same, given, right))
    return given == right


def _sent_twice(flows: list[Flow]) -> list[str]:
    """Return the text of each segment that the server sent again. One is lost on purpose; load may add others."""
    texts = []
    for flow in flows:
        stream, segments = flow.from_responder, flow.segments
        kept = {piece.row for piece in stream.pieces} if len(stream) else set()
        for row in stream.rows.tolist():
            if int(segments.payload_captured[row]) and row not in kept:
                texts.append(bytes(segments.payload(row)).decode(errors="replace"))
    return list(dict.fromkeys(texts))


def _tls_records(flows: list[Flow], place: int) -> list[Record]:
    flows = [flow for flow in flows if flow.handshake]
    if place >= len(flows):
        raise NoAnswer(f"{TLS} has only {len(flows)} connections")
    stream = sorted(flows, key=lambda flow: flow.start_ns)[place].from_initiator
    records = [one for one in read_records(stream) if one.content_type == APPLICATION_DATA]
    if len(records) < 2:
        raise NoAnswer(f"no application data in {TLS}")
    return records
