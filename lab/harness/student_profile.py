"""A different conversation for every student, drawn from an HMAC of the student's id and the course's key.

    profile(id, key) -> Profile: names, addresses, port, lines, order, a secret word, a segment that gets lost, an attack

The same id and key make the same conversation on every machine; another key makes all other ones. Without the key nobody
can work out what will be said, nor who will be attacked and how.
"""

import hashlib
import hmac
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from lab.harness.script import Script, Step

DEFAULT_KEY = "lab"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")

# What conversations are drawn from (names, things, lines with a place for a thing or a secret), and the questions.
TEXTS = json.loads(Path(__file__).with_name("student_texts.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Attack:
    """What happens in ``attack.pcapng``: one of TEXTS["attacks"], to one user.

    ``number`` ends the attacker's address. ``macs`` are the server's, the attacker's and each user's, all drawn.
    """

    kind: str
    user: str
    number: int
    macs: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """One student's conversation. Most questions are about ``subject``; ``word`` is said only once."""

    id: str
    course: str  # tells courses apart without giving their key away
    script: Script
    secret: str
    word: str
    subject: str
    port: int
    network: str  # the first three numbers of every address
    lost: int  # which data segment of the server's gets lost, from 1
    source_ports: dict[str, int]
    attack: Attack


def check_id(text: str) -> str:
    """Return the ID as it is used: without blanks around it, in small letters. Raises ValueError."""
    text = text.strip()
    if not ID.fullmatch(text):
        raise ValueError(f"{text!r} is not a student ID: letters, digits and . _ @ + - only, 64 at most")
    return text.lower()


def profile(student_id: str, key: str = DEFAULT_KEY) -> Profile:
    """Return the conversation of this ID in the course of this key. Raises ValueError for an invalid ID."""
    student_id = check_id(student_id)
    digest = hmac.new(key.encode(), student_id.encode(), hashlib.sha256).hexdigest()
    dice = random.Random(digest)  # a text seed draws the same on every version of Python since 3.2
    users = dice.sample(TEXTS["names"], dice.choice((3, 3, 4)))
    count = dice.randint(9, 13)
    things = dice.sample(TEXTS["things"], count + 1)
    secret = f"{things[count]}-{digest[:6]}"
    texts = [dice.choice(TEXTS["talk"]).format(thing) for thing in things[:count]]
    word = dice.choice(things[:count])
    texts.insert(dice.randrange(3, count), dice.choice(TEXTS["secrets"]).format(secret))
    steps = [Step(users[0], "join"), Step(users[1], "join")]
    waiting, present = users[2:], users[:2]
    for number, text in enumerate(texts):
        if waiting and (dice.random() < 0.4 or number >= count - 4):
            present.append(waiting.pop(0))
            steps.append(Step(present[-1], "join"))
        spoken = {step.who for step in steps if step.action == "say"}
        quiet = [user for user in present if user not in spoken]
        steps.append(Step(dice.choice(quiet or present), "say", text))
    steps += [Step(user, "leave") for user in dice.sample(users, len(users))]
    speakers = sorted({step.who for step in steps if step.action == "say"})
    script = Script(int(digest[:8], 16), tuple(steps))
    return Profile(
        id=student_id,
        course=hmac.new(key.encode(), f"course {student_id}".encode(), hashlib.sha256).hexdigest()[:16],
        script=script,
        secret=secret,
        word=word,
        subject=dice.choice(speakers),
        port=dice.randrange(10_000, 30_000),
        network=f"10.{dice.randrange(1, 255)}.{dice.randrange(1, 255)}",
        lost=_a_line_of_the_server(script, dice),
        source_ports=dict(zip(users, dice.sample(range(40_000, 60_000), len(users)), strict=True)),
        attack=_attack(users, random.Random(f"attack {digest}")),
    )


def _attack(users: list[str], dice: random.Random) -> Attack:
    kind, user, number = dice.choice(list(TEXTS["attacks"])), dice.choice(users), dice.randrange(100, 255)
    macs = tuple(f"02:{dice.randbytes(5).hex(':')}" for _ in range(len(users) + 2))
    return Attack(kind, user, number, macs)


def _a_line_of_the_server(script: Script, dice: random.Random) -> int:
    """Draw one of the server's data segments with a chat line: it sends one to each present user for each event."""
    sent, present = 0, 0
    lines: list[int] = []
    for step in script.steps:
        if step.action == "join":
            present += 1
            sent += 2 * present  # "*** NAME Connected ***", then the list
        elif step.action == "leave":
            present -= 1
            sent += present  # the list
        else:
            lines += range(sent + 1, sent + present + 1)
            sent += present
    return dice.choice(lines)
