"""The score cannot be fooled: made-up facts are false claims, and a fact counts once."""

from lab.exposure import CLASSES, Intercept, Message, score
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

    server = f"{entry['server']['address']}:{entry['server']['port']}"

    def right(times) -> int:  # but for the server itself
        said = [
            Message(1, time_ns, endpoint, "say", 0, b"")
            for time_ns, endpoint in zip(times, who * 9, strict=False)
        ]
        return {item.kind: item for item in score(Intercept(said, server=server), entry)}[
            "metadata"
        ].right - 1

    truth = right([time + 100_000 for time in sent])
    assert truth == 2 * len(sent) + len(users)  # time and direction of each; how many each user sent
    assert right([sent[0]] * len(sent)) <= 2 + len(users)
    assert right([time - 10**10 for time in sent]) <= len(users)
    assert right([sent[-1] + 10**10 for _ in sent]) <= len(users)
    assert right(sent[1:]) < truth and right(sent * 2) <= truth
    last = Intercept([Message(1, sent[-1], who[-1], "say", 0, b"")], server=server)
    missed = {item.kind: item for item in score(last, entry)}["metadata"]
    assert (
        missed.right == 3 and missed.wrong <= 1
    )  # the last one alone is still the last one: time, direction, server


def test_made_up_lines_count_against_the_eavesdropper(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0]
    who, text = make_script(7).lines[0]
    claims = [(who, text), (who, text), (who, "never said"), ("Nobody", text)]
    names = [Message(1, 0, "x", "name", 0, b"", text=name) for name in ("Brandon", "Mallory")]
    scores = {item.kind: item for item in score(Intercept(names + [line(*claim) for claim in claims]), entry)}
    assert (scores["content"].right, scores["content"].wrong) == (
        1,
        3,
    )  # said once, so the second claim is false
    assert scores["content"].precision == 0.25
    assert (scores["identities"].right, scores["identities"].wrong) == (1, 1)


def test_a_secret_counts_only_where_it_was_read(recorded):
    _, manifest = recorded
    entry = manifest["recordings"][0]
    [secret] = entry["secrets"]
    assert shares((Intercept([line("John", f"I know {secret}!")]), entry))["secrets"] == (1, 0, 1)
    assert shares((Intercept([line("John", "I know nothing")]), entry))["secrets"] == (0, 0, 1)


def test_the_classes_come_in_order(recorded):
    _, manifest = recorded
    assert tuple(item.kind for item in score(Intercept(), manifest["recordings"][0])) == CLASSES
