"""The facts of a conversation that can be counted: those that are true, those claimed and those guessed.

Each class of exposure has a multiset of facts:

    class        a fact is
    identities   (whose address and port, name) of a user
    content      (speaker, text) of a line, private ones too, but for those in the next class
    secrets      (speaker, text) of a line with a planted secret word; the room's password
    presence     (whose address and port, join or leave), at its time
    public       (who sends, who gets it) of a line to all, by address and port
    private      the same of a line to one user
    times        when a line was sent and by whom (by address and port); how many lines each user sent
    lengths      the length of a line's text in bytes
    hosts        the address and port of a user, of the server
    TLS names    protocol version, name of the server asked for, names in the certificate
    inferred     known without being read: a vote, the length of a user's name, the wire

**Times are order.** A claimed line is taken for the one that was being said at its time: said before, the next one not
yet, and no longer ago than ``TOLERANCE_NS``. Of several such claims one can be right. So neither a false time nor a missed
line moves the others. Where lines are half a millisecond apart, that asks for their order; seconds apart, for a time.
"""

import bisect
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab.exposure.intercept import Intercept, Message

TOLERANCE_NS = 1_000_000_000  # (a line is on the wire some 0.1 ms after it was said, on a busy machine more)
CLOCK_NS = 2_000  # libpcap's times are in microseconds
VOTES = {len(answer): answer for answer in ("yes", "no")}

Fact = tuple[Any, ...]
Facts = Counter[Fact]  # a multiset of facts


def true_facts(recording: dict[str, Any]) -> dict[str, Facts]:
    """Return what was really there, as a multiset of facts for each class."""
    endpoint = _endpoints(recording)
    events = recording["events"]
    spoken = [event for event in events if event["action"] in ("say", "tell")]
    relations: dict[str, Facts] = {"say": Counter(), "tell": Counter()}
    present: set[str] = set()
    for event in events:
        match event["action"]:
            case "join":
                present.add(event["who"])
            case "leave":
                present.discard(event["who"])
            case action:
                others = {event["to"]} if action == "tell" else present - {event["who"]}
                relations[action][endpoint[event["who"]], frozenset(endpoint[name] for name in others)] += 1
    lines = [(event["who"], event["text"]) for event in spoken]
    secrets = recording.get("secrets", [])
    server = recording["server"]
    return {
        "identities": Counter((where, name) for name, where in endpoint.items()),
        **_lines(lines, [one for one in secrets if not any(one in text for _, text in lines)], secrets),
        "presence": Counter(_moves(recording).keys()),
        "public": relations["say"],
        "private": relations["tell"],
        **_metadata([(at, endpoint[one["who"]], len(one["text"].encode())) for at, one in enumerate(spoken)]),
        "hosts": _hosts(endpoint.values(), f"{server['address']}:{server['port']}"),
        "TLS names": _tls_names(
            recording["tls_version"], recording.get("server_name"), recording.get("certificate_names", ())
        ),
        "inferred": _inferred(
            {endpoint[one["who"]]: one["text"] for one in spoken if one.get("vote")},
            {where: len(name.encode()) for name, where in endpoint.items()},
            recording["wire"],
        ),
    }


def claimed_facts(intercept: Intercept, recording: dict[str, Any]) -> dict[str, Facts]:
    """Return what the eavesdropper claims, in the same form.

    Of the manifest only the secrets to look for are used; the times, to know which line a claim is about; and when the
    vote was held, since that was announced.
    """
    said, names = intercept.said, [message for message in intercept.messages if message.kind == "name"]
    true_times = [event["time_ns"] for event in recording["events"] if event["action"] in ("say", "tell")]
    places = _which_lines(said, true_times)
    read_names = {one.endpoint: one.text for one in names if one.text is not None}
    # A line without a speaker is not a claim.
    lines = [(who, text) for who, text in intercept.lines if who is not None]
    passwords = {message.password for message in intercept.messages if message.password}
    name_lengths = intercept.name_lengths | {who: len(name.encode()) for who, name in read_names.items()}
    return {
        "identities": Counter((one.endpoint, one.text) for one in names if one.text is not None),
        **_lines(lines, passwords, recording.get("secrets", [])),
        "presence": _presence(intercept, recording),
        "public": Counter((one.endpoint, frozenset(one.recipients)) for one in said if one.kind == "say"),
        "private": Counter((one.endpoint, frozenset(one.recipients)) for one in said if one.kind == "tell"),
        **_metadata([(at, one.endpoint, one.text_length) for at, one in zip(places, said, strict=True)]),
        "hosts": _hosts({endpoint for _, endpoint, _ in intercept.presence}, intercept.server),
        "TLS names": _tls_names(
            intercept.tls_version and intercept.tls_version.replace("TLS ", "TLSv"),
            intercept.server_name,
            intercept.certificate_names,
        ),
        "inferred": _inferred(_votes(intercept, recording), name_lengths, intercept.wire),
    }


def guessed_facts(intercept: Intercept) -> dict[str, Facts]:
    """Return what somebody claims who looks at nothing but presence, and is told who sent each line."""
    endpoints = {endpoint for _, endpoint, _ in intercept.presence}
    return {
        "public": Counter((one.endpoint, intercept.others_present(one)) for one in intercept.said),
        "hosts": _hosts(endpoints, intercept.server),
        "inferred": _inferred(dict.fromkeys(endpoints, "yes"), {}, None),
    }


def _endpoints(recording: dict[str, Any]) -> dict[str, str]:
    return {user["name"]: f"{user['address']}:{user['port']}" for user in recording["users"]}


def _lines(
    lines: Iterable[tuple[str, str]], passwords: Iterable[str], secrets: list[str]
) -> dict[str, Facts]:
    """Return the facts of what was said: a line with a secret word counts as a secret and not as content."""
    known: Facts = Counter(("password", password) for password in passwords)
    facts: dict[str, Facts] = {"content": Counter(), "secrets": known}
    for who, text in lines:
        facts["secrets" if any(secret in text for secret in secrets) else "content"][who, text] += 1
    return facts


def _moves(recording: dict[str, Any]) -> dict[Fact, int]:
    """Return {(whose address and port, join or leave): time_ns}."""
    endpoint = _endpoints(recording)
    moves = [event for event in recording["events"] if event["action"] in ("join", "leave")]
    return {(endpoint[event["who"]], event["action"]): event["time_ns"] for event in moves}


def _presence(intercept: Intercept, recording: dict[str, Any]) -> Facts:
    """Return the claimed comings and goings; one at another time than the true one is a false claim."""
    moves = _moves(recording)
    facts: Facts = Counter()
    for time_ns, endpoint, action in intercept.presence:
        late_ns = time_ns - moves.get((endpoint, action), 0)
        is_true = -CLOCK_NS <= late_ns <= TOLERANCE_NS
        facts[(endpoint, action) if is_true else (endpoint, action, time_ns)] += 1
    return facts


def _which_lines(messages: list[Message], true_times: list[int]) -> list[int]:
    """Return for each claimed line the number of the true one; a negative number of its own where there is none."""
    numbers: list[int] = []
    for message in messages:
        number = bisect.bisect_right(true_times, message.time_ns + CLOCK_NS) - 1
        if number < 0 or number in numbers or message.time_ns - true_times[number] > TOLERANCE_NS:
            number = -1 - len(numbers)
        numbers.append(number)
    return numbers


def _metadata(spoken: list[tuple[int, str, int | None]]) -> dict[str, Facts]:
    """``spoken`` has (number, whose address and port, length in bytes or None) of every line."""
    times: Facts = Counter((number, endpoint) for number, endpoint, _ in spoken)
    times.update(Counter(("lines", *one) for one in Counter(endpoint for _, endpoint, _ in spoken).items()))
    lengths = Counter((number, length) for number, _, length in spoken if length is not None)
    return {"times": times, "lengths": lengths}


def _hosts(endpoints: Iterable[str], server: str | None) -> Facts:
    return Counter([*(("user", one) for one in endpoints), *([("server", server)] if server else [])])


def _tls_names(version: str | None, server_name: str | None, certified: Iterable[str]) -> Facts:
    named = [("version", version), ("server", server_name), *(("certificate", name) for name in certified)]
    return Counter((kind, name) for kind, name in named if name is not None)


def _inferred(votes: dict[str, str], name_lengths: dict[str, int], wire: str | None) -> Facts:
    facts: Facts = Counter(("vote", *vote) for vote in votes.items())
    facts.update(("name", *one) for one in name_lengths.items())
    facts.update([("wire", wire)] if wire else [])
    return facts


def _votes(intercept: Intercept, recording: dict[str, Any]) -> dict[str, str]:
    """Return the votes that the eavesdropper claims, by endpoint."""
    events = recording["events"]
    held = [number for number, event in enumerate(events) if event.get("vote")]
    if not held:
        return {}
    following = [event["time_ns"] for event in events[held[-1] + 1 :]]
    to_ns = following[0] - 1 if following else events[-1]["time_ns"] + TOLERANCE_NS
    votes = guess_votes(intercept, events[held[0]]["time_ns"], to_ns)
    return {endpoint: vote for endpoint, vote in votes.items() if vote is not None}


def guess_votes(intercept: Intercept, from_ns: int, to_ns: int) -> dict[str, str | None]:
    """Return who said yes and who said no between two times, by endpoint; None where the length does not show it.

    The eavesdropper knows when the vote was held (it was announced), and that an answer is "yes" or "no".
    """
    votes: dict[str, str | None] = {}
    for message in intercept.said:
        if from_ns <= message.time_ns <= to_ns:
            votes[message.endpoint] = VOTES.get(message.text_length or 0)
    return votes
