"""A different conversation for every student, drawn from an HMAC of the student's id and the course's key.

    profile(id, key) -> Profile: names, addresses, port, lines, order, a secret word, a segment that gets lost
    record_student(profile, folder) -> plain.pcapng (on a LAN, recorded at the server), tls13.pcapng, answers.toml

The same id and key make the same conversation on every machine; another key makes all other ones. What the kernel draws
(initial sequence numbers, times) is new in each recording, which is how a copy is recognised. Nothing that is written
says who said what: the answers to the questions in ``answers.toml`` are in the frames alone. Where the system allows no
LAN, the plaintext session is recorded on the loopback as well, and no segment gets lost.
"""

import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.harness.manifest import Entry, sha256_of
from lab.harness.script import Script, Step
from lab.harness.variant import Variant

PLAIN, TLS, ANSWERS, ABOUT = "plain.pcapng", "tls13.pcapng", "answers.toml", "about.json"
FILES = (PLAIN, TLS, ANSWERS, ABOUT)
DEFAULT_KEY = "lab"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")

# What conversations are drawn from (names, things, lines with a place for a thing or a secret), and the questions.
TEXTS = json.loads(Path(__file__).with_name("student_texts.json").read_text(encoding="utf-8"))
KINDS = {"int": int, "str": str, "list": list}  # of answers


@dataclass(frozen=True)
class Profile:
    """One student's conversation. Most questions are about ``subject``; ``word`` is said only once."""

    id: str
    script: Script
    secret: str
    word: str
    subject: str
    port: int
    network: str  # the first three numbers of every address
    lost: int  # which data segment of the server's gets lost, from 1
    source_ports: dict[str, int]

    @property
    def order(self) -> str:
        """The order to the switch."""
        return f"drop the {self.lost}th data segment from server"


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
        script=script,
        secret=secret,
        word=word,
        subject=dice.choice(speakers),
        port=dice.randrange(10_000, 30_000),
        network=f"10.{dice.randrange(1, 255)}.{dice.randrange(1, 255)}",
        lost=_a_line_of_the_server(script, dice),
        source_ports=dict(zip(users, dice.sample(range(40_000, 60_000), len(users)), strict=True)),
    )


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


# --- questions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """One question of ``answers.toml``. ``kind`` is int, str or list (of str); ``file`` is where the answer is."""

    key: str
    kind: type
    file: str
    text: str
    minutes: int
    source: str
    notebook: str


def questions(one: Profile) -> list[Question]:
    """Return what a student is asked about the recording; the answers are only in it."""
    about = {"who": one.subject, "place": one.script.users.index(one.subject) + 1, "word": one.word}
    return [
        Question(**asked | {"kind": KINDS[asked["kind"]], "text": asked["text"].format(**about)})
        for asked in TEXTS["questions"]
    ]


def answers_template(one: Profile) -> str:
    """Return ``answers.toml`` with every question and no answer."""
    lines = [
        f"# Questions about the recordings of {one.id}: {PLAIN} and {TLS}, in this folder.",
        "# Take the # away before a question's last line and answer behind its =: numbers bare, text in quotes, names as",
        '# ["A", "B"]. Leave those that you do not know as they are.',
        f'student = "{one.id}"',
    ]
    for number, question in enumerate(questions(one), 1):
        empty = {int: "0", str: '""', list: "[]"}[question.kind]
        lines += [
            "",
            f"# {number}. {question.text}",
            f"#    in {question.file}; about {question.minutes} minutes; {question.source}; notebook "
            f"{question.notebook}",
            f"# {question.key} = {empty}",
        ]
    return "\n".join(lines) + "\n"


def mistakes(answers: dict[str, object]) -> list[str]:
    """Return a line on each answer that cannot be right: no such question, or a number where names are asked for."""
    asked = {question["key"]: KINDS[question["kind"]] for question in TEXTS["questions"]}
    words = {int: "a whole number", str: "a text in quotes", list: 'a list like ["A", "B"]'}
    lines = []
    for key, value in answers.items():
        if key == "student":
            continue
        if key not in asked:
            lines.append(f"{key}: no question is called that")
        elif type(value) is not asked[key]:
            lines.append(f"{key}: {words[asked[key]]} is asked for, not {value!r:.40}")
    return lines


# --- recording --------------------------------------------------------------------------------------------------------


def record_student(one: Profile, folder: Path | str, say: Callable[[str], None] = lambda line: None) -> Entry:
    """Record a student's two sessions into ``folder``; return what ``about.json`` holds. Raises RecordingError.

    ``about.json`` is written last: a folder that has it is complete. Recordings that are already there are
    replaced, which ``say`` is called with; the answers are kept.
    """
    from lab.harness.session import recording_into  # a grader reads profiles and never records

    folder = Path(folder)
    with recording_into(folder):
        if replaced := [name for name in (PLAIN, TLS, ABOUT) if (folder / name).exists()]:
            say(f"replacing {', '.join(replaced)} in {folder}; {ANSWERS} stays as it is")
        (folder / ABOUT).unlink(missing_ok=True)
        say(f"recording {PLAIN} and {TLS} of {one.id}")
        where = _record_plain(one, folder)
        _on_loopback(one, folder, "1.3")
        if not (folder / ANSWERS).exists():  # a student's work is not written over
            (folder / ANSWERS).write_text(answers_template(one), encoding="utf-8")
        sums = {name: sha256_of(folder / name) for name in (PLAIN, TLS)}
        about = {"format": 1, "student": one.id, "where": where, "sha256": sums}
        (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return about


def is_complete(folder: Path) -> bool:
    """Return whether a student's recordings are there, and still the ones that were made."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return all(sha256_of(folder / name) == sha for name, sha in about["sha256"].items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _record_plain(one: Profile, folder: Path) -> str:
    """Record the plaintext session on a LAN, or where there can be none on the loopback; return which."""
    from lab.harness.session import record_on_lan
    from lab.net.lan import Lan
    from lab.net.plan import LanRefused, host

    users = one.script.users
    host_of = {user: f"PC{number}" for number, user in enumerate(users, 1)}
    hosts = [host("server", f"{one.network}.1/24")]
    hosts += [host(f"PC{number}", f"{one.network}.{number + 10}/24") for number in range(1, len(users) + 1)]
    try:
        with Lan(hosts) as lan:
            lan.order(one.order)
            record_on_lan(
                lan, one.script, folder / PLAIN, ["server"],
                host_of=host_of, source_ports=one.source_ports, port=one.port, network=f"a LAN for {one.id}",
            )  # fmt: skip
    except LanRefused:
        _on_loopback(one, folder, "none")
        return "loopback"
    return "LAN"


def _on_loopback(one: Profile, folder: Path, tls: str) -> None:
    """Record one session on the loopback: of a namespace if there can be one, where the port is free."""
    from lab.harness.session import session_recorder

    with session_recorder(namespaces_first=True) as (record_one, _):
        record_one(folder, one.script, Variant(tls), one.port, False)
