"""The score cannot be fooled: made-up facts are false claims, and a fact counts once."""

import pytest

from lab.exposure import Intercept, Score, score
from lab.exposure.intercept import Message
from lab.exposure.scoring import CLASSES, clopper_pearson
from lab.harness.script import make_script
from tests.exposure.scores import shares


def line(who: str, text: str) -> Message:
    return Message(1, 0, "somewhere", "say", 0, b"", who=who, text=text)


def test_times_that_were_made_up_are_not_right(recorded):
    """One time for all, all in reverse order, too many, too late: each is less than the truth."""
    _, manifest = recorded
    entry = manifest["recordings"][0]
    sent = [event["time_ns"] for event in entry["events"] if event["action"] in ("say", "tell")]
    users = {user["name"]: f"{user['address']}:{user['port']}" for user in entry["users"]}
    who = [users[event["who"]] for event in entry["events"] if event["action"] in ("say", "tell")]

    def right(times) -> int:
        said = [
            Message(1, time_ns, endpoint, "say", 0, b"")
            for time_ns, endpoint in zip(times, who * 9, strict=False)
        ]
        return shares((Intercept(said), entry))["times"][0]

    truth = right([time + 100_000 for time in sent])
    assert truth == len(sent) + len(users)  # each time and its sender; how many each user sent
    assert right([sent[0]] * len(sent)) <= 1 + len(users)
    assert right([time - 10**10 for time in sent]) <= len(users)
    assert right([sent[-1] + 10**10 for _ in sent]) <= len(users)
    assert right(sent[1:]) < truth and right(sent * 2) <= truth
    last = Intercept([Message(1, sent[-1], who[-1], "say", 0, b"")])
    missed = shares((last, entry))["times"]
    assert missed[0] == 1 and missed[1] <= 1  # the last one alone is still the last one


def test_made_up_lines_count_against_the_eavesdropper(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0]
    who, text = make_script(7).lines[0]
    claims = [(who, text), (who, text), (who, "never said"), ("Nobody", text)]
    where = endpoints(entry)["Brandon"]
    names = [
        Message(1, 0, "x", "name", 0, b"", text="Mallory"),
        Message(1, 0, where, "name", 0, b"", text="Brandon"),
    ]
    scores = {item.kind: item for item in score(Intercept(names + [line(*claim) for claim in claims]), entry)}
    assert (scores["content"].right, scores["content"].wrong) == (
        1,
        3,
    )  # said once, so the second claim is false
    assert (scores["identities"].right, scores["identities"].wrong) == (1, 1)


def test_a_secret_counts_once_and_only_where_it_was_read(recorded):
    """The line with the secret word is a secret and not also content; an invented one with that word is false."""
    _, manifest = recorded
    entry = manifest["recordings"][0]
    [secret] = entry["secrets"]
    [(who, text)] = [one for one in make_script(7).lines if secret in one[1]]
    got = shares((Intercept([line(who, text)]), entry))
    assert got["secrets"] == (1, 0, 1) and got["content"] == (0, 0, 17)
    assert shares((Intercept([line(who, text)] * 2), entry))["secrets"] == (1, 1, 1)
    assert shares((Intercept([line("John", f"I know {secret}!")]), entry))["secrets"] == (0, 1, 1)
    assert shares((Intercept([line("John", "I know nothing")]), entry))["secrets"] == (0, 0, 1)


def test_the_rooms_password_is_one_secret_and_another_password_a_false_one(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0] | {"secrets": ["open sesame"]}
    names = [
        Message(1, 0, endpoint, "name", 0, b"", text=endpoint, password=password)
        for endpoint, password in (("a", "open sesame"), ("b", "open sesame"), ("c", "please"))
    ]
    assert shares((Intercept(names), entry))["secrets"] == (1, 1, 1)


def endpoints(entry) -> dict[str, str]:
    return {user["name"]: f"{user['address']}:{user['port']}" for user in entry["users"]}


def test_a_name_is_right_at_its_own_endpoint_alone(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0]
    brandon, john, _ = endpoints(entry).values()
    right, swapped = (
        Intercept([Message(1, 0, where, "name", 0, b"", text=name) for where, name in pairs])
        for pairs in (((brandon, "Brandon"), (john, "John")), ((brandon, "John"), (john, "Brandon")))
    )
    assert shares((right, entry))["identities"] == (2, 0, 3)
    assert shares((swapped, entry))["identities"] == (0, 2, 3)


def moves(entry) -> list[tuple[int, str, str]]:
    events = [event for event in entry["events"] if event["action"] in ("join", "leave")]
    return [(event["time_ns"], endpoints(entry)[event["who"]], event["action"]) for event in events]


def test_a_missed_join_makes_no_later_one_wrong(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0]
    assert shares((Intercept(presence=moves(entry)), entry))["presence"] == (6, 0, 6)
    assert shares((Intercept(presence=moves(entry)[1:]), entry))["presence"] == (5, 0, 6)
    late = [(time_ns + 10**10, *move) for time_ns, *move in moves(entry)]
    assert shares((Intercept(presence=late), entry))["presence"] == (0, 6, 6)


def test_what_everybody_would_guess_is_no_skill(recorded):
    """A guesser who takes every line for one to all present has all of a room's lines, and no private one."""
    _, manifest = recorded
    entry = manifest["recordings"][0]
    where, present, said = endpoints(entry), set(), []
    entry = entry | {"events": [*entry["events"]]}
    place = next(at for at, event in enumerate(entry["events"]) if event.get("vote"))
    whisper = {
        "time_ns": entry["events"][place]["time_ns"] - 1,
        "who": "Alice",
        "action": "tell",
        "to": "John",
    }
    entry["events"].insert(place, whisper | {"text": "psst"})
    for event in entry["events"]:
        if event["action"] in ("join", "leave"):
            present ^= {where[event["who"]]}
        else:
            others = tuple(sorted(present - {where[event["who"]]}))
            said.append(Message(1, event["time_ns"], where[event["who"]], "say", 0, b"", recipients=others))
    guesser = Intercept(said, moves(entry))
    scores = {one.kind: one for one in score(guesser, entry)}
    assert (scores["public"].right, scores["public"].baseline, scores["public"].skill) == (18, 18, None)
    assert (scores["private"].right, scores["private"].total, scores["private"].skill) == (0, 1, 0)
    said[[one.time_ns for one in said].index(whisper["time_ns"])] = Message(
        1, whisper["time_ns"], where["Alice"], "tell", 0, b"", recipients=(where["John"],)
    )
    assert {one.kind: one.skill for one in score(guesser, entry)}["private"] == 1


def test_skill_is_what_goes_beyond_a_guess():
    assert Score("public", 18, 0, 20, baseline=16).skill == 0.5
    assert Score("public", 12, 0, 20, baseline=16).skill == -1
    assert Score("public", 20, 0, 20, baseline=20).skill is None


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [  # from tables; the first two are 0.025 ** (1 / n)
        (18, 18, 0.8147, 1),
        (3, 3, 0.2924, 1),
        (0, 10, 0, 0.3085),
        (5, 10, 0.1871, 0.8129),
        (900, 2000, 0.4280, 0.4721),
        (0, 0, 0, 1),
    ],
)
def test_the_interval_of_a_share_is_clopper_and_pearsons(right, total, low, high):
    assert clopper_pearson(right, total) == pytest.approx((low, high), abs=1e-4)
    assert Score("content", right, 0, total).interval == clopper_pearson(right, total)


def test_the_classes_come_in_order(recorded):
    _, manifest = recorded
    assert tuple(item.kind for item in score(Intercept(), manifest["recordings"][0])) == CLASSES
