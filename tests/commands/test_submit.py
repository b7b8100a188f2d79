"""``python3 lab submit`` with what students break: a sheet, the answers, an id, the place of their recordings."""

import shutil

import pytest

from lab.commands import submit
from lab.exercises.checks import tasks

SHEET = "sheet_02_handshake.py"


@pytest.fixture
def pack(tmp_path, monkeypatch, capsys):
    """Pack from ``tmp_path``, which holds the sheets and abc's recordings; return the exit code and what is printed."""
    mine, sheets = tmp_path / "mine", tmp_path / "sheets"
    shutil.copytree(tasks.STUBS, sheets)
    (mine / "abc").mkdir(parents=True)
    for name in ("plain.pcapng", "tls13.pcapng", "about.json"):
        (mine / "abc" / name).write_bytes(b"")
    (mine / "abc" / "answers.toml").write_text('student = "abc"\n')
    monkeypatch.setattr(submit, "MINE", mine)
    monkeypatch.setattr(tasks, "STUBS", sheets)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = submit.main([*words, "--out", "packed.zip"])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run


def test_what_is_broken_is_named_in_the_last_line_and_packed(pack, tmp_path):
    assert pack()[1][-1] == "Hand in this one file."
    sheet = tmp_path / "sheets" / SHEET
    text = sheet.read_text(encoding="utf-8")
    for wrong, reason in (
        (text + "def x(:\n", f"Python cannot read line {text.count(chr(10)) + 1} ("),
        (text.replace("def find_handshake", "def find_handshakes"), "find_handshake not defined in it"),
    ):
        sheet.write_text(wrong, encoding="utf-8")
        code, lines, _ = pack()
        assert code == 0 and lines[-1].startswith(f"Not complete ({SHEET} broken): it would be marked so.")
        assert any(line.startswith(f"  BROKEN    {SHEET}: {reason}") for line in lines)
        assert (tmp_path / "packed.zip").exists()
    (tmp_path / "mine" / "abc" / "answers.toml").write_text("port = five\n")
    assert f"({SHEET} broken, answers.toml broken)" in pack()[1][-1]


@pytest.mark.parametrize(
    ("lines", "said"), [(1, "1 line still with # in front"), (2, "2 lines still with # in front")]
)
def test_lines_of_the_template_that_are_left_are_counted(pack, tmp_path, lines, said):
    left = "".join(f"# answer_{number} = 0\n" for number in range(lines))
    (tmp_path / "mine" / "abc" / "answers.toml").write_text(left)
    assert f"  there     answers.toml, 0 answered, {said}" in pack()[1]


def test_an_id_that_has_no_recording_here_is_refused(pack, tmp_path):
    code, _, said = pack("--student", "xyz")
    assert code == 2 and said == "lab submit: the recording here is abc's: is xyz mistyped?\n"
    assert not (tmp_path / "packed.zip").exists()


@pytest.mark.parametrize("words", [[], ["--student", "abc"]])
def test_recordings_outside_a_folder_are_to_be_moved_into_one(pack, tmp_path, words):
    for path in (tmp_path / "mine" / "abc").iterdir():
        path.rename(tmp_path / "mine" / path.name)
    (tmp_path / "mine" / "abc").rmdir()
    code, _, said = pack(*words)
    assert code == 2 and f"move them to captures/mine/{words[-1] if words else 'NAME'}" in said
