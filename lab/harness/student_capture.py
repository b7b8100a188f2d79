"""The recordings of one student, and the questions about them.

    record_student(profile, folder) -> plain.pcapng (on a LAN, recorded at the server), tls13.pcapng, answers.toml;
                                       if asked for, attack.pcapng: one attack (``student_attack``)

What the kernel draws (initial sequence numbers, times) is new in each recording, which is how a copy is recognised.
Nothing that is written says who said what: the answers to the questions in ``answers.toml`` are in the frames alone.
Where the system allows no LAN, the plaintext session is recorded on the loopback as well, no segment gets lost, and an
attack is refused.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.harness.manifest import Entry, sha256_of
from lab.harness.student_profile import TEXTS, Profile
from lab.harness.variant import Variant

PLAIN, TLS, ATTACK = "plain.pcapng", "tls13.pcapng", "attack.pcapng"
ANSWERS, ABOUT = "answers.toml", "about.json"
FILES = (PLAIN, TLS, ANSWERS, ABOUT)  # and ATTACK, if asked for
PLACES = ("first", "second", "third", "fourth")  # in which users join
KINDS = {"int": int, "str": str, "list": list}  # of answers


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


def questions(one: Profile, attack: bool = False) -> list[Question]:
    """Return what a student is asked about the recordings; the answers are only in them."""
    about = {"who": one.subject, "place": PLACES[one.script.users.index(one.subject)], "word": one.word}
    meanings = (f"{kind}: {known['meaning']}" for kind, known in TEXTS["attacks"].items())
    about["attacks"] = "\n".join(meanings)
    return [
        Question(**asked | {"kind": KINDS[asked["kind"]], "text": asked["text"].format(**about)})
        for asked in TEXTS["questions"]
        if attack or asked["file"] != ATTACK
    ]


def attack_words(kind: str) -> list[str]:
    """Return the words for a kind of attack that count as right."""
    return [kind, *TEXTS["attacks"][kind]["also"]]


def answers_template(one: Profile, attack: bool = False) -> str:
    """Return ``answers.toml`` with every question and no answer."""
    lines = [
        f"# Questions about the recordings of {one.id}, in this folder.",
        "# To answer a question, delete the # at the start of its last line and write the answer after the =: numbers as",
        '# they are, text in quotes, names as ["A", "B"]. Leave those that you do not know as they are.',
        f'student = "{one.id}"',
    ]
    for number, question in enumerate(questions(one, attack), 1):
        empty = {int: "0", str: '""', list: "[]"}[question.kind]
        lines += [
            "",
            f"# {number}. {question.text}".replace("\n", "\n#      "),
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
        elif key == "attack" and str(value).strip().casefold() not in sum(
            map(attack_words, TEXTS["attacks"]), []
        ):
            lines.append(f"{key}: {value!r:.40} is not one of {', '.join(TEXTS['attacks'])}")
    return lines


def record_student(
    one: Profile, folder: Path | str, say: Callable[[str], None] = lambda line: None, attack: bool = False
) -> Entry:
    """Record a student's two sessions into ``folder``, and with ``attack`` a third; return what ``about.json`` holds.

    ``about.json`` is written last: a folder that has it is complete. Recordings of the same course that are already
    there are replaced, which ``say`` is called with; the answers are kept. Where only the attack is missing, only the
    attack is recorded. Raises RecordingError.
    """
    from lab.harness.session import recording_into  # a grader reads profiles and never records
    from lab.harness.tap import RecordingError

    folder = Path(folder)
    with recording_into(folder):
        about = _read_about(folder)
        if is_of_another_key(one, folder):
            fix = "keep it if your instructor handed it out, and record elsewhere with --out"
            raise RecordingError(f"{folder} holds a recording made with another key: {fix}")
        names = [PLAIN, TLS, ATTACK] if attack else [PLAIN, TLS]
        if attack and is_complete(folder) and not is_complete(folder, attack):
            names = [ATTACK]
        if replaced := [name for name in (*names, ABOUT) if (folder / name).exists()]:
            added = f"gets {ATTACK}'s questions" if asks_more(folder, attack) else "stays as it is"
            say(f"replacing {', '.join(replaced)} in {folder}; {ANSWERS} {added}")
            if PLAIN in names and (old := count_answers(folder)):
                answers = f"{old} answer{'s' * (old != 1)}"
                say(f"{answers} about the old recording: look them up again, in the new one")
        (folder / ABOUT).unlink(missing_ok=True)
        say(f"recording {' and '.join(names)} of {one.id}")
        if attack:
            from lab.harness.student_attack import record_attack

            record_attack(one, folder / ATTACK)
        if PLAIN in names:
            about["where"] = _record_plain(one, folder)
            _on_loopback(one, folder, "1.3")
        add_questions(one, folder, attack)
        sums = {name: sha256_of(folder / name) for name in (PLAIN, TLS, ATTACK) if (folder / name).exists()}
        about |= {"format": 1, "student": one.id, "course": one.course, "sha256": sums}
        (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return about


def add_questions(one: Profile, folder: Path, attack: bool) -> None:
    """Write ``answers.toml``; where there is one, at most the attack's questions are added: it is a student's work."""
    path, template = folder / ANSWERS, answers_template(one, attack)
    if not path.exists():
        path.write_text(template, encoding="utf-8")
    elif asks_more(folder, attack):
        with path.open("a", encoding="utf-8") as file:
            file.write(template.removeprefix(answers_template(one)))


def asks_more(folder: Path, attack: bool) -> bool:
    """Return whether the attack's questions are missing from a student's answers."""
    text = _read_answers(folder)
    return attack and text is not None and ATTACK not in text


def count_answers(folder: Path) -> int:
    """Return how many answers a student has filled in."""
    return len(re.findall(r"^\s*(?!student\b)\w+\s*=", _read_answers(folder) or "", re.MULTILINE))


def _read_answers(folder: Path) -> str | None:
    path = folder / ANSWERS
    return path.read_text(encoding="utf-8-sig", errors="replace") if path.exists() else None


def is_complete(folder: Path, attack: bool = False) -> bool:
    """Return whether a student's recordings are there, and still the ones that were made; ``attack``: that one, too."""
    try:
        sums = _read_about(folder)["sha256"]
        is_whole = ATTACK in sums or not attack
        return is_whole and all(sha256_of(folder / name) == sha for name, sha in sums.items())
    except (OSError, KeyError, AttributeError):
        return False


def is_of_another_key(one: Profile, folder: Path) -> bool:
    """Return whether a folder holds recordings that were made with another key than this student's profile."""
    return (folder / ABOUT).exists() and _read_about(folder).get("course") != one.course


def _read_about(folder: Path) -> Entry:
    try:
        return dict(json.loads((folder / ABOUT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


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
            lan.order(f"drop the {one.lost}th data segment from server")
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
    from lab.harness.session import Session, session_recorder

    with session_recorder(namespaces_first=True) as (record_one, _):
        record_one(Session(folder, one.script, Variant(tls), one.port))
