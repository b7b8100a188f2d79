"""How much of the truth did the eavesdropper recover exactly, and what did it claim falsely?

Six classes. Of each, the truth (from a recording's entry of the manifest) and the claims are compared as multisets of
facts: ``right`` is what is in both, ``wrong`` what was claimed and is not true, ``total`` the truth's size.

    class        a fact is
    identities   a user's name
    content      (speaker, text) of a line, private lines too
    secrets      a password, or a planted secret word, found in what was read
    presence     the n-th coming or going: (n, whose address and port, join or leave)
    relations    (who sends, who gets it) of a line, by address and port
    metadata     how many lines each user sent; the time, length in bytes and direction of each line (by
                 address and port); the hosts; protocol version, server name, certificate names

A claimed line is taken for the one that was being said at its time: said before, the next one not yet, and no longer ago
than ``TOLERANCE_NS``. Of several such claims one can be right. So neither a false time nor a missed line moves the others.

Presence, relations and metadata are scored by address and port, which name a machine and not a person: that is what TLS
leaves in the open.
"""

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.exposure.intercept import Intercept, Message

CLASSES = ("identities", "content", "secrets", "presence", "relations", "metadata")
TOLERANCE_NS = 1_000_000_000  # (a line is on the wire some 0.1 ms after it was said, on a busy machine more)
CLOCK_NS = 2_000  # libpcap's times are in microseconds
VOTES = {len(answer): answer for answer in ("yes", "no")}

Facts = Counter[Any]  # a multiset of facts


@dataclass(frozen=True)
class Score:
    """``right`` of ``total`` facts were recovered exactly; ``wrong`` more were claimed and are not true."""

    kind: str
    right: int
    wrong: int
    total: int

    @property
    def share(self) -> float:
        """Recovered share of what there was, 0 to 1 (the field calls it recall). 0 where there was nothing."""
        return self.right / self.total if self.total else 0.0

    @property
    def precision(self) -> float:
        """Share of the claims that are true, 0 to 1. 1 where nothing was claimed."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0


def score(intercept: Intercept, recording: dict[str, Any]) -> list[Score]:
    """Return a Score for each class, in the order of ``CLASSES``, against a recording's entry of the manifest."""
    truth, claims = true_facts(recording), claimed_facts(intercept, recording)
    return [
        Score(
            kind,
            right=(truth[kind] & claims[kind]).total(),  # of each fact the smaller count
            wrong=(claims[kind] - truth[kind]).total(),
            total=truth[kind].total(),
        )
        for kind in CLASSES
    ]


def true_facts(recording: dict[str, Any]) -> dict[str, Facts]:
    """Return what was really there, as a multiset of facts for each class."""
    endpoint = {user["name"]: f"{user['address']}:{user['port']}" for user in recording["users"]}
    events = recording["events"]
    spoken = [event for event in events if event["action"] in ("say", "tell")]
    moves = [event for event in events if event["action"] in ("join", "leave")]
    present: set[str] = set()
    relations: Facts = Counter()
    for event in events:
        match event["action"]:
            case "join":
                present.add(event["who"])
            case "leave":
                present.discard(event["who"])
            case "say":
                relations[_relation(endpoint, event["who"], present)] += 1
            case "tell":
                relations[_relation(endpoint, event["who"], {event["to"]})] += 1
    secrets = recording.get("secrets", [])
    return {
        "identities": Counter(list(endpoint)),
        "content": Counter((event["who"], event["text"]) for event in spoken),
        "secrets": Counter(secrets),
        "presence": Counter((i, endpoint[event["who"]], event["action"]) for i, event in enumerate(moves)),
        "relations": relations,
        "metadata": _metadata(
            [
                (number, endpoint[event["who"]], len(event["text"].encode()))
                for number, event in enumerate(spoken)
            ],
            endpoint.values(),
            f"{recording['server']['address']}:{recording['server']['port']}",
            recording["tls_version"],
            recording.get("server_name"),
            recording.get("certificate_names", ()),
        ),
    }


def claimed_facts(intercept: Intercept, recording: dict[str, Any]) -> dict[str, Facts]:
    """Return what the eavesdropper claims, in the same form. Of the manifest only the secrets to look for are used, and
    the times, to know which line a claim is about."""
    true_times = [event["time_ns"] for event in recording["events"] if event["action"] in ("say", "tell")]
    read = [text for _, text in intercept.lines] + [m.password for m in intercept.messages if m.password]
    return {
        "identities": Counter(intercept.names),
        "content": Counter(
            line for line in intercept.lines if line[0] is not None
        ),  # a line without a speaker is not a claim
        "secrets": Counter(
            secret for secret in recording.get("secrets", []) if any(secret in text for text in read)
        ),
        "presence": Counter(
            (i, endpoint, action) for i, (_, endpoint, action) in enumerate(intercept.presence)
        ),
        "relations": Counter((message.endpoint, frozenset(message.recipients)) for message in intercept.said),
        "metadata": _metadata(
            [
                (number, message.endpoint, message.text_length)
                for number, message in zip(
                    _which_lines(intercept.said, true_times), intercept.said, strict=True
                )
            ],
            {endpoint for _, endpoint, _ in intercept.presence},
            intercept.server,
            intercept.tls_version and intercept.tls_version.replace("TLS ", "TLSv"),
            intercept.server_name,
            intercept.certificate_names,
        ),
    }


def _relation(endpoint: dict[str, str], who: str, others: Iterable[str]) -> tuple[str, frozenset[str]]:
    return endpoint[who], frozenset(endpoint[name] for name in others if name != who)


def _which_lines(messages: list[Message], true_times: list[int]) -> list[int]:
    """Return for each claimed line the number of the true one; a negative number of its own where there is none."""
    numbers: list[int] = []
    for message in messages:
        number = bisect.bisect_right(true_times, message.time_ns + CLOCK_NS) - 1
        if number < 0 or number in numbers or message.time_ns - true_times[number] > TOLERANCE_NS:
            number = -1 - len(numbers)
        numbers.append(number)
    return numbers


def _metadata(
    spoken: list[tuple[int, str, int | None]],
    endpoints: Iterable[str],
    server: str | None,
    version: str | None,
    server_name: str | None,
    certificate_names: Iterable[str],
) -> Facts:
    """``spoken`` has (number, whose address and port, length in bytes or None) of every line."""
    facts: Facts = Counter()
    for endpoint, count in Counter(endpoint for _, endpoint, _ in spoken).items():
        facts["lines", endpoint, count] = 1
    for number, endpoint, length in spoken:
        facts["time", number] = 1
        facts["direction", number, endpoint, server] = 1
        if length is not None:
            facts["length", number, length] = 1
    for endpoint in endpoints:
        facts["user's host", endpoint] = 1
    for kind, value in (("server", server), ("version", version), ("server name", server_name)):
        if value is not None:
            facts[kind, value] = 1
    for name in certificate_names:
        facts["certificate", name] = 1
    return facts


def guess_votes(intercept: Intercept, from_ns: int, to_ns: int) -> dict[str, str | None]:
    """Return who said yes and who said no between two times, by endpoint; None where the length does not show it.

    The eavesdropper knows when the vote was held (it was announced), and that an answer is "yes" or "no".
    """
    votes: dict[str, str | None] = {}
    for message in intercept.said:
        if from_ns <= message.time_ns <= to_ns:
            votes[message.endpoint] = (
                VOTES.get(message.text_length) if message.text_length is not None else None
            )
    return votes
