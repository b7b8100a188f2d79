"""A conversation of one's own: a different one for each id, the same one again, and an answer key that the frames
give."""

import random
import re
import shutil

import pytest

from lab.exercises.checks.traffic import Talk, Tape
from lab.harness import student_capture
from lab.harness.student_capture import ANSWERS, FILES, PLAIN, TLS, questions
from lab.harness.student_profile import DEFAULT_KEY, profile
from lab.instructor import answer_key, sandbox
from lab.instructor.marking import OWN, mark
from lab.instructor.recordings import read_flows
from lab.instructor.roster import ID_COLUMNS, RosterError, read_roster
from tests.instructor.conftest import record_class
from tests.instructor.hand_ins import capture


def flows_in(folder):
    """The connections of the plaintext recording, and of the one with TLS."""
    return [read_flows(folder / name) for name in (PLAIN, TLS)]


@pytest.fixture(scope="module")
def recorded_twice(a_class, tmp_path_factory):
    """(profile, folder, another folder): the same student's recordings, made twice; the second over an answered one."""
    one, first = profile(" S1", "k"), a_class / "class" / "s1"
    second = shutil.copytree(first, tmp_path_factory.mktemp("own") / "second")
    (second / ANSWERS).write_text("server_port = 1\n")
    said: list[str] = []
    student_capture.record_student(one, second, said.append)
    assert said[0] == f"replacing {PLAIN}, {TLS}, about.json in {second}; {ANSWERS} stays as it is"
    assert said[1] == "1 answer about the old recording: look them up again, in the new one"
    return one, first, second


def answers_known_beforehand(one):
    """What the script alone settles; the rest of the answers is the kernel's."""
    said = one.script.lines
    return {
        "server_port": [one.port],
        "users": [list(one.script.users)],
        "who_said": [next(who for who, text in said if one.word in text)],
        "lines_said": [len(said)],
        "secret": [one.secret],
    }


def test_five_hundred_ids_give_five_hundred_different_answer_sets():
    profiles = [profile(f"s{number:07}", "key") for number in range(500)]
    assert len({repr(answers_known_beforehand(one)) for one in profiles}) == 500
    assert len({one.script.lines for one in profiles}) == 500
    for one in profiles:
        assert sum(one.word in text for _, text in one.script.lines) == 1
        assert sum(one.secret in text for _, text in one.script.lines) == 1
        assert one.subject in {who for who, _ in one.script.lines}
        assert len(set(one.script.users)) == len(one.script.users)


def test_the_same_id_is_the_same_conversation_and_another_key_is_not():
    assert profile("abc", "k") == profile(" ABC ", "k")
    assert profile("abc", "k").script != profile("abc", "l").script != profile("abd", "l").script


@pytest.mark.parametrize("text", ["", "  ", "../x", "a b", "-x", "x" * 65, "a/b", "ä"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match="student ID"):
        profile(text)


@pytest.mark.parametrize(
    ("files", "state", "story"),
    [({}, "missing", f"{PLAIN} was not handed in"), ({PLAIN: b"x"}, "wrong", f"{PLAIN} cannot be read")],
)
def test_a_recording_that_cannot_be_read_is_not_called_missing(tmp_path, files, state, story):
    for name, data in {ANSWERS: b"", **files}.items():
        (tmp_path / name).write_bytes(data)
    result = mark("s1", tmp_path, "k", sandbox.LIMITS)
    answers = {(one.state, one.story) for one in result.marks if one.sheet == OWN}
    assert answers == {(state, f"{story}, so the answers cannot be checked")}


def test_the_key_comes_out_of_the_frames(recorded_twice):
    one, first, second = recorded_twice
    keys = [answer_key.derive(*flows_in(folder), one) for folder in (first, second)]
    for key in keys:
        assert set(key) == {question.key for question in questions(one)}
        assert key.items() >= answers_known_beforehand(one).items()
        assert key["client_port"] == [one.source_ports[one.subject]] or key["retransmitted"] == ["none"]
        longest = max(len(text.encode()) for who, text in one.script.lines if who == one.subject)
        assert key["tls_longest"] == [max(longest, len("!ShowUserHasConnected"))]
        # name, announcement, list, lines, farewell; the encrypted Finished before and the closing alert behind them
        lines = sum(who == one.subject for who, _ in one.script.lines)
        assert key["tls_records"][0] in (lines + 4 + 1, lines + 4 + 2)
    assert keys[0]["client_isn"] != keys[1]["client_isn"]


def test_a_segment_is_lost_where_there_is_a_lan(recorded_twice):
    one, first, _ = recorded_twice
    if '"LAN"' not in (first / "about.json").read_text():
        pytest.skip("no LAN here")
    texts = answer_key.derive(*flows_in(first), one)["retransmitted"]
    assert any(text.startswith("<") and tuple(text[1:].split("> ", 1)) in one.script.lines for text in texts)


def test_users_with_long_names_are_cut_off():
    """Each of the student's questions repeats this text."""
    tape = Tape(random.Random(1))
    Talk(tape).open().say("client", b"x" * 10_000)
    problem = answer_key.wrong_conversation(tape.case("long names").flows, profile("s1", "k"))
    assert problem == f"the users are {'x' * 200}, not those of s1"


def test_right_conversation_wrong_conversation(recorded_twice):
    one, first, _ = recorded_twice
    assert answer_key.wrong_conversation(read_flows(first / PLAIN), one) is None
    assert answer_key.wrong_conversation(read_flows(first / PLAIN), profile("somebody-else", "k"))
    assert answer_key.wrong_conversation(read_flows(first / PLAIN), profile("s1", "another course"))


def test_what_is_handed_out_does_not_hold_the_answers(recorded_twice):
    one, first, _ = recorded_twice
    assert {path.name for path in first.iterdir()} == set(FILES)
    text = (first / ANSWERS).read_text(encoding="utf-8") + (first / "about.json").read_text(encoding="utf-8")
    key = answer_key.derive(*flows_in(first), one)
    for name in ("server_port", "client_isn", "secret", "client_port"):
        assert f" {key[name][0]}" not in text and f'"{key[name][0]}"' not in text
    assert not re.search(rf"[=:] {key['syn_ack_frame'][0]}\b", text)  # the questions have numbers as small


def test_who_has_answered_is_not_written_over(recorded_twice):
    _, first, second = recorded_twice
    assert student_capture.is_complete(second) and (second / ANSWERS).read_text() == "server_port = 1\n"
    assert (second / PLAIN).read_bytes() != (first / PLAIN).read_bytes()


def test_what_an_instructor_handed_out_is_not_replaced(recorded_twice, tmp_path):
    """The class was recorded with a key that its students do not know."""
    shutil.copytree(recorded_twice[1], tmp_path / "s1")
    before = {path.name: path.read_bytes() for path in (tmp_path / "s1").iterdir()}
    for more in ([], ["--attack"]):
        done = capture("--student", "S1", "--out", tmp_path, *more)
        assert "S1 becomes s1" in done.stdout
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--out" in done.stderr, done.stderr
        assert {path.name: path.read_bytes() for path in (tmp_path / "s1").iterdir()} == before


def test_an_answer_of_another_kind_is_told_before_it_is_handed_in():
    right = {"student": "s1", "users": ["Ada"], "secret": "x", "client_isn": 5}
    assert student_capture.mistakes(right) == []
    wrong = {"users": "Ada", "secret": 5, "client_isn": ["5"], "isn": 5}
    assert [line.partition(":")[0] for line in student_capture.mistakes(wrong)] == list(wrong)


@pytest.mark.parametrize(
    ("given", "accepted", "right"),
    [
        (5, [5], True), (5.0, [5], False), (True, [1], False), ("5", [5], False), (" Zoë ", ["zoë"], True), ("",
        ["none"], False), (["A", "b"], [["a", "B"]], True), (["B", "A"], [["A", "B"]], False), ("x", ["y", "x"],
        True), (None, [1], False), ([], [["A"]], False),
    ],
)  # fmt: skip
def test_what_counts_as_right(given, accepted, right):
    assert answer_key.is_right(given, accepted) is right


def test_a_class_is_recorded_and_goes_on_where_it_was_cut_off(a_class, tmp_path):
    printed = (a_class / "printed").read_text(encoding="utf-8")
    assert printed.count("\n[") + printed.startswith("[") == 5 and "4 of 4" in printed
    shutil.copytree(a_class, tmp_path, dirs_exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("class/*/*.pcapng")}
    assert len(before) == 8
    (tmp_path / "class" / "s2" / "about.json").unlink()  # as if cut off
    done = record_class(tmp_path)
    assert "3 of 4  already there" in done.stdout, done.stderr
    changed = {path.parent.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"s2"}
    assert (
        answer_key.wrong_conversation(read_flows(tmp_path / "class" / "s2" / PLAIN), profile("s2", "k"))
        is None
    )
    assert "the default key" not in printed
    other = record_class(tmp_path, DEFAULT_KEY)
    assert (
        other.stdout
        == "the default key is in use: students can work out what is said in their recordings (see --course)\n"
    )
    assert other.returncode == 2 and other.stderr.count("\n") == 1 and "another key" in other.stderr, other


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column"),
        ("name\nA\n", "no column"),
        ("id\n", "nobody"),
        ("id\na\nA\n", "twice"),
        ("id\n../a\n", "line 2"),
    ],
)
def test_a_roster_that_cannot_be_used(tmp_path, text, reason):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(RosterError, match=reason):
        read_roster(tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ("id;name\ns1;Zoë\n".encode(), ["s1"]),
        ("id\tname\ns1\tZoë\n".encode(), ["s1"]),
        (b"Identifier,Full name,Email address,Status\nParticipant 2,Ada,Ada@x.edu,-\n", ["ada@x.edu"]),
    ],
)
def test_a_class_list_as_spreadsheets_and_moodle_write_it(tmp_path, data, ids):
    (tmp_path / "r.csv").write_bytes(data)
    assert [one.id for one in read_roster(tmp_path / "r.csv")] == ids


def test_an_encoding_and_columns_that_would_do_are_named(tmp_path):
    (tmp_path / "r.csv").write_bytes("id;name\ns1;Zoë\n".encode("latin-1"))
    with pytest.raises(RosterError, match="save it as CSV UTF-8"):
        read_roster(tmp_path / "r.csv")
    (tmp_path / "r.csv").write_text("a,b\n")
    with pytest.raises(RosterError) as refused:
        read_roster(tmp_path / "r.csv")
    assert all(repr(name) in str(refused.value) for name in ID_COLUMNS)


def test_who_has_no_id_is_named(tmp_path, capsys):
    rows = '    Points Possible,,\nAda,1,s1\nBob,,s2\n,,\n"Student, Test",,\nEve,,s3\n'
    (tmp_path / "r.csv").write_text(f"Student,ID,SIS User ID\n{rows}")
    assert [one.id for one in read_roster(tmp_path / "r.csv")] == ["1"]
    assert capsys.readouterr().err == f"{tmp_path / 'r.csv'}: left out, since 'ID' is empty: Bob, Eve\n"


def test_the_command_refuses_in_one_line(tmp_path):
    for words in (["--student", "../x"], ["--roster", tmp_path / "none.csv"]):
        done = capture(*words, "--out", tmp_path)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_recorded(tmp_path):
    (tmp_path / "r.csv").write_text("id\ns1\ns2\n")
    done = capture("--roster", tmp_path / "r.csv", "--out", tmp_path / "r.csv" / "class", "--course", "k")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "another --out" in done.stderr


def test_tls_and_plain_are_the_same_conversation(recorded_twice):
    one, first, _ = recorded_twice
    plain, tls = flows_in(first)
    assert len(plain) == len(tls) == len(one.script.users)
    assert not any(text.encode() in flow.from_initiator.data for flow in tls for _, text in one.script.lines)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--student", "ann", "--tls", "1.3"], "leave out --tls"),
        (["--student", "ann", "--shipped"], "leave out --shipped"),
        (["--student", "ann", "--roster", "r.csv"], "leave out one of them"),
        (["--student", ""], "lab capture: "),
        (["--course", "k"], "--course goes with"),
        (["--shipped", "--seed", "3"], "leave out --seed"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, words, says):
    done = capture(*words, *([] if "--shipped" in words else ["--out", tmp_path / "out"]))
    assert done.returncode == 2 and says in done.stderr.splitlines()[-1], done.stderr
    assert not (tmp_path / "out").exists()
