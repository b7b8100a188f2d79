"""One attack in an own capture: recorded for each kind, answered rightly, wrongly, and out of another's recording."""

import json
import shutil
from collections import Counter

import pytest

import lab.capture
from lab.dissect.files.capture_file import read_capture
from lab.harness.student_attack import record_attack
from lab.harness.student_capture import (
    ANSWERS,
    ATTACK,
    PLAIN,
    TLS,
    answers_template,
    attack_words,
    mistakes,
    questions,
)
from lab.harness.student_profile import TEXTS, profile
from lab.instructor import answer_key, copies, sandbox, submissions
from lab.instructor.course_rules import ATTACK_QUESTIONS, CourseRules, RulesError, apply, read_rules
from lab.instructor.marking import Mark, Result, mark
from lab.instructor.recordings import read_flows
from lab.instructor.roster import Entry
from tests.instructor import hand_ins
from tests.instructor.hand_ins import capture
from tests.support import needs_namespaces

KINDS = list(TEXTS["attacks"])
KEY = "k"


def student_with(kind: str):
    profiles = (profile(f"s{number}", KEY) for number in range(100))
    return next(one for one in profiles if one.attack.kind == kind)


def test_the_id_and_the_key_choose_the_attack():
    profiles = [profile(f"s{number}", KEY) for number in range(500)]
    assert all(count > 70 for count in Counter(one.attack.kind for one in profiles).values())
    assert {one.attack.kind for one in profiles} == set(KINDS)
    assert len({one.attack.macs[1] for one in profiles}) == 500, "nobody's attacker has another's MAC"
    assert all(len(set(one.attack.macs)) == len(one.script.users) + 2 for one in profiles)
    others = [profile(one.id, "another key").attack for one in profiles]
    assert sum(one.attack.kind == other.kind for one, other in zip(profiles, others, strict=True)) < 200


def test_without_an_attack_the_questions_are_as_before():
    one = profile("s1", KEY)
    assert [question.key for question in questions(one, attack=True)] == [
        *(question.key for question in questions(one)),
        *ATTACK_QUESTIONS,
    ]
    assert len(questions(one)) == 13 and len(ATTACK_QUESTIONS) == 3
    template = answers_template(one, attack=True)
    assert template.startswith(answers_template(one)) and ATTACK not in answers_template(one)
    assert all(f"#      {kind}: " in template for kind in KINDS), "the words are listed"
    assert all(line.startswith("#") for line in template.splitlines() if line and "student = " not in line)


def test_a_word_for_an_attack_is_a_word_for_no_other():
    words = [word for kind in KINDS for word in attack_words(kind)]
    assert len(set(words)) == len(words)
    for word in words:
        assert mistakes({"attack": f" {word.upper()}"}) == []
    assert mistakes({"attack": "sabotage"}) == [f"attack: 'sabotage' is not one of {', '.join(KINDS)}"]


def test_who_hands_in_no_attack_loses_its_points_only_where_the_course_says_so(tmp_path):
    for rules, of in ((CourseRules(), 1), (CourseRules(attack=True), 4)):
        result = Result("s1", "", [Mark("own capture", "users", "done", 1, 1)])
        apply(rules, result, None, False)
        assert (result.points, result.of) == (1, of)
    (tmp_path / "course.toml").write_text("attack = 'yes'\n")
    with pytest.raises(RulesError, match="attack must be true or false, without quotes, not .yes"):
        read_rules(tmp_path / "course.toml")


def test_the_option_goes_with_a_student(capsys):
    with pytest.raises(SystemExit) as refused:
        lab.capture.main(["--attack"])
    assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("--attack goes with --student or --roster")


@pytest.mark.maintainers
@needs_namespaces
def test_where_there_can_be_no_lan_an_attack_is_refused_in_one_line(tmp_path):
    words = hand_ins.lab("capture", "--student", "ann", "--attack", "--out", tmp_path)
    done = hand_ins.run(hand_ins.refusing([hand_ins.UNSHARE], words))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert not (tmp_path / "ann" / "about.json").exists()


# --- recordings


def claims(frame: bytes, address: bytes) -> bool:
    """Whether a frame uses an IPv4 address as its source, or as the sender in ARP."""
    return frame[26:30] == address if frame[12:14] == b"\x08\x00" else frame[28:32] == address


SIGNS = {  # in the frames that are forged, the first one alone, and in all others
    "reset": (lambda first, rest: first[47] == 4 and not rest),
    "inject": (lambda first, rest: first.endswith(b"> I quit") and not rest),
    "arp": (lambda first, rest: first[20:22] == b"\0\2" and any(b"noon" in frame for frame in rest)),
    "mitm": (lambda first, rest: first[20:22] == b"\0\2" and any(b"\x16\x03\x03" in frame for frame in rest)),
    "downgrade": (
        lambda first, rest: first[20:22] == b"\0\2" and any(b"speaks plaintext" in one for one in rest)
    ),
}


@pytest.fixture
def recorded(once):
    """``recorded(kind)``: a student to whom this happens, and the folder of the recording."""

    def make(kind: str):
        one = student_with(kind)
        return one, once(f"own-attack-{kind}", lambda folder: record_attack(one, folder / ATTACK))

    return make


@pytest.mark.maintainers
@needs_namespaces
@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_true_of_the_recording(recorded, kind):
    one, folder = recorded(kind)
    right = answer_key.derive_attack(folder, one)
    capture = read_capture(folder / ATTACK)
    frames = [bytes(capture.frame(number)) for number in range(1, len(capture) + 1)]
    server, network = one.attack.macs[0], bytes(map(int, one.network.split(".")))
    false = [frame for frame in frames if claims(frame, network + b"\1") and frame[6:12].hex(":") != server]
    assert right["forged_frame"] == [frames.index(false[0]) + 1]
    place = one.script.users.index(one.attack.user)
    assert false[0][:6].hex(":") == one.attack.macs[2 + place]
    assert right["attacked"][0] == f"{one.network}.{11 + place}"
    assert right["attack"] == attack_words(kind)
    assert SIGNS[kind](false[0], false[1:]), "what happened is what the word says"
    data = (folder / ATTACK).read_bytes()
    assert b"Mallory" not in data and kind.encode() not in data.lower().replace(b"user's", b"")


@pytest.mark.maintainers
@needs_namespaces
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_elses_recording_has_answers(recorded, kind):
    one, folder = recorded(kind)
    for other in (profile(one.id, "another course"), profile("somebody-else", KEY)):
        with pytest.raises(answer_key.NoAnswer):
            answer_key.derive_attack(folder, other)


@pytest.fixture(scope="module")
def with_attack(a_class, tmp_path_factory):
    """The folder of s1, who has answered a question and is then given an attack, too."""
    folder = shutil.copytree(a_class / "class" / "s1", tmp_path_factory.mktemp("attack") / "s1")
    with (folder / ANSWERS).open("a") as file:
        file.write("secret = 'mine'")
    before = {name: (folder / name).read_bytes() for name in (PLAIN, TLS, ANSWERS)}
    done = capture("--student", "S1", "--attack", "--course", KEY, "--out", folder.parent)
    assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith(ATTACK), done.stderr
    assert (folder / ANSWERS).read_bytes().startswith(before.pop(ANSWERS) + b"\n# 14. Which user's computer")
    assert {name: (folder / name).read_bytes() for name in before} == before, "what was there is as it was"
    assert ATTACK in json.loads((folder / "about.json").read_text())["sha256"]
    return folder


def marked(folder, student: str = "s1") -> dict[str, Mark]:
    result = mark(student, folder, KEY, sandbox.LIMITS)
    return {one.task: one for one in result.marks if one.sheet == "own capture"}


def answer(folder, answers: dict) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in answers.items()]
    (folder / ANSWERS).write_text("\n".join(lines))


@pytest.mark.maintainers
@needs_namespaces
def test_right_answers_count_and_wrong_ones_do_not(with_attack, recorded, tmp_path):
    shutil.copytree(with_attack, tmp_path, dirs_exist_ok=True)
    right = {key: values[0] for key, values in answer_key.derive_attack(tmp_path, profile("s1", KEY)).items()}
    answer(tmp_path, right | {"attack": right["attack"].upper(), "attacked": f" {right['attacked']} "})
    assert [one.points for one in marked(tmp_path).values()] == [0] * 13 + [1] * 3
    other_kind = next(kind for kind in KINDS if kind != right["attack"])
    wrong = {"attacked": "10.0.0.1", "attack": other_kind, "forged_frame": right["forged_frame"] + 1}
    answer(tmp_path, wrong)
    marks = marked(tmp_path)
    assert [(marks[key].state, marks[key].points) for key in wrong] == [("wrong", 0)] * 3
    assert not any(str(right[key]) in marks[key].story for key in ("attacked", "forged_frame"))

    # Another student's recording, with answers that are right for it, or for the one who hands in.
    one, folder = recorded(right["attack"])
    if one.id == "s1":
        one, folder = recorded(other_kind)
    theirs = {key: values[0] for key, values in answer_key.derive_attack(folder, one).items()}
    shutil.copy(folder / ATTACK, tmp_path)
    for answers in (theirs, right):
        answer(tmp_path, answers)
        marks = marked(tmp_path)
        assert [(marks[key].state, marks[key].points) for key in answers] == [("wrong", 0)] * 3
    result = mark("s1", tmp_path, KEY, sandbox.LIMITS)
    assert any("is not the recording of s1" in remark for remark in result.remarks)
    found = {"s1": sum(result.traces.values(), []), one.id: copies.traces(read_flows(folder / ATTACK))}
    assert [(pair.first, pair.second) for pair in copies.find_pairs(found)] == [tuple(sorted(["s1", one.id]))]

    (tmp_path / ATTACK).write_bytes(b"rubbish")
    assert [marked(tmp_path)[key].story for key in right] == [f"{ATTACK} cannot be read"] * 3
    (tmp_path / ATTACK).unlink()
    assert len(marked(tmp_path)) == 13


@pytest.mark.maintainers
@needs_namespaces
def test_submit_packs_the_attack_and_grade_finds_it(with_attack, tmp_path):
    command = hand_ins.lab("submit", "--student", "s1", "--out", tmp_path / "s1.zip", "--captures")
    done = hand_ins.run([*command, str(with_attack)])
    assert done.returncode == 0 and f"there     {ATTACK}" in done.stdout, done.stderr
    [found], _ = submissions.find(tmp_path, [Entry("s1")])
    assert found.files[ATTACK] == (with_attack / ATTACK).read_bytes()
    shutil.copy(with_attack / ANSWERS, tmp_path)
    done = hand_ins.run([*command, str(tmp_path)])
    assert f"MISSING   {ATTACK}" in done.stdout
