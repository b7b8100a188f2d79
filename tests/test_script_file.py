"""A conversation from a text file: what it may say, what is refused and where, and that it is recorded and scored."""

import pytest

from lab import capture
from lab.exposure import eavesdrop, score
from lab.harness.manifest import MANIFEST, read_manifest
from lab.harness.script_file import (
    MAX_FILE_BYTES,
    MAX_STEPS,
    MAX_USERS,
    ScriptError,
    parse_script,
    read_script,
)

TALK = """# three friends
Zoë joins
Bob: hi Zoë, are you there: yes or no?

Zoë: yes ☕
Bob: /msg Zoë the key is under the mat
Zoë leaves
"""


def test_every_kind_of_line():
    steps = [(step.who, step.action, step.text, step.to) for step in parse_script(TALK, "talk.txt").steps]
    assert steps == [
        ("Zoë", "join", "", ""),
        ("Bob", "join", "", ""),
        ("Bob", "say", "hi Zoë, are you there: yes or no?", ""),
        ("Zoë", "say", "yes ☕", ""),
        ("Bob", "tell", "the key is under the mat", "Zoë"),
        ("Zoë", "leave", "", ""),
        ("Bob", "leave", "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A: hi\nhello", 'line 2: write "NAME: text"'),
        ("A: hi\nA joins", "line 2: A is in the room already"),
        ("A: hi\nB leaves", "line 2: B is not in the room"),
        ("A: hi\nA leaves\nA: again", "line 3: A has left and cannot return"),
        ("Zoë: hi\nZOË: hi", "line 2: ZOË is too similar"),
        ("<A>: hi", "line 1: a name must not look like"),
        ("A: hi\nA:", "line 2: a text needs 1 to 1000 characters"),
        ("A: hi\nA: a\x1b[31m", "line 2: a text needs"),
        ("A: !Exit", "line 1: '!Exit' has another meaning"),
        ("A: " + "☕" * 400, "line 1: with the name, a line takes up to 1024 bytes"),
        ("A: hi\nA: /me waves", "line 2: /me is not supported"),
        ("A: hi\nA: /msg B hi", "line 2: /msg needs the name of somebody in the room"),
        ("A: hi\nA: /msg A hi", "line 2: /msg to oneself"),
        (
            "\n".join(f"U{number}: hi" for number in range(MAX_USERS + 1)),
            f"line {MAX_USERS + 1}: a script takes up to",
        ),
        ("A: hi\n" * MAX_STEPS, f"line {MAX_STEPS}: a script takes up to {MAX_STEPS} steps"),
        ("# nothing", "nobody says anything"),
    ],
)
def test_what_cannot_be_played_names_its_line(text, reason):
    with pytest.raises(ScriptError, match="^talk.txt") as error:
        parse_script(text, "talk.txt")
    assert reason in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"A: hi\nA: \xff", "line 2: not UTF-8"), (b"#" * (MAX_FILE_BYTES + 1), "longer than 32768")],
)
def test_a_file_that_is_not_a_script(tmp_path, data, reason):
    (tmp_path / "talk.txt").write_bytes(data)
    with pytest.raises(ScriptError, match=reason):
        read_script(tmp_path / "talk.txt")


@pytest.mark.records
def test_it_is_recorded_in_every_variant_and_scored(tmp_path, capsys):
    (tmp_path / "talk.txt").write_text(TALK, encoding="utf-8")
    words = ["--out", str(tmp_path), "--script", str(tmp_path / "talk.txt")]
    variants = ["--tls", "none", "1.3", "--wire", "report", "json", "--disguise", "xor", "--pad", "128"]
    assert capture.main([*words, *variants]) == 0
    assert "the report wire has no private messages" in capsys.readouterr().out
    manifest = read_manifest(tmp_path / MANIFEST)
    assert manifest["script"] == "talk.txt" and len(manifest["recordings"]) == 7
    for recording in manifest["recordings"]:
        content = score(eavesdrop(tmp_path / recording["file"]), recording)[1]
        lines = 3 if recording["wire"] == "json" else 2
        assert (content.right, content.wrong, content.total) == (
            0 if recording["tls"] == "1.3" else lines,
            0,
            lines,
        )
    assert capture.main(words) == 0
    assert f"replacing plain.pcapng, manifest.json in {tmp_path}" in capsys.readouterr().out


def test_a_hand_out_is_never_recorded_into(tmp_path, capsys):
    (tmp_path / "plain.pcapng").write_bytes(b"handed out")
    (tmp_path / "answers.toml").write_text("")
    assert capture.main(["--out", str(tmp_path)]) == 2
    assert "never replaced" in capsys.readouterr().err
    assert (tmp_path / "plain.pcapng").read_bytes() == b"handed out"


def test_a_script_and_a_seed_do_not_go_together(capsys):
    with pytest.raises(SystemExit):
        capture.main(["--script", "talk.txt", "--seed", "3"])
    assert "leave out one of them" in capsys.readouterr().err
    assert capture.main(["--script", "none.txt"]) == 2
    assert "cannot read none.txt" in capsys.readouterr().err
