"""Canvas, Moodle and Gradescope: what they send is graded, and what goes back is what they read."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lab.instructor import gradescope, platforms, sandbox, students_copy, submissions, untrusted
from lab.instructor.commands import grade, release
from lab.instructor.marking import Mark, Result
from lab.instructor.outputs import write_grades
from lab.instructor.roster import Entry, RosterError, read_roster
from tests.instructor.hand_ins import SHEET, UNSHARE, command, hand_in, marks, refusing, run, solution, zipped
from tests.support import ROOT

ADAS = "Student,ID,SIS User ID\nPoints Possible,,\n" + "".join(
    f'"Lovelace, Ada",{id},s{id}\n' for id in (11, 12, 13)
)
WORKSHEET = """Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 21,Ada Lovelace,s21,a@x,Submitted,-,50.00,Yes,"Tuesday, 1 December 2026, 11:58 PM",-,
Participant 22,Ada Lovelace,s22,b@x,Submitted,-,50.00,Yes,-,-,
"""


def class_list(folder: Path, text: str) -> list[Entry]:
    (folder / "roster.csv").write_text(text, encoding="utf-8")
    return read_roster(folder / "roster.csv")


def unpacked(
    folder: Path, files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED
) -> list[str]:
    (folder / "download.zip").write_bytes(zipped(files, compression))
    return untrusted.unpack_download(folder / "download.zip", folder / "inbox")


def test_canvas_tells_students_of_one_name_apart_by_its_ids(tmp_path):
    roster = class_list(tmp_path, ADAS)
    names = ["lovelaceada_11_901_lab.zip", "lovelaceada_LATE_12_902_lab.zip", "lovelaceada_12_1000_lab.zip"]
    assert unpacked(tmp_path, {name: zipped({SHEET: name}) for name in names}) == []
    found, notes = submissions.find(tmp_path / "inbox", roster)
    sources = {one.id: one.source.name for one in found}
    assert sources == {"11": names[0], "12": names[2]}, "of two hand-ins the later: file 1000 is after 902"
    assert len(notes) == 1 and names[1] in notes[0] and names[2] in notes[0]
    assert [platforms.marked_late(name) for name in names] == [False, True, False]


def test_a_second_upload_of_the_same_name_counts(tmp_path):
    entry = Entry("s1", "Ada Lovelace")
    for name in ("lab-s1.zip", "lab-s1-1.zip", "lab-s1-10.zip", "lab-s1-9.zip"):
        (tmp_path / name).write_bytes(zipped({SHEET: name}))
    [one], _ = submissions.find(tmp_path, [entry])
    assert one.source.name == "lab-s1-10.zip"


@pytest.mark.parametrize(("older", "newer"), [("lab-v1.zip", "lab-v2.zip"), ("lab-s1.zip", "lab-s1 (1).zip")])
def test_of_several_zips_in_one_folder_the_last_counts(tmp_path, older, newer):
    other = "sheet_02_handshake.py"
    zips = {older: {SHEET: "old", other: "old"}, newer: {SHEET: "new"}, "photos.zip": {"me.png": "x"}}
    hand_in(tmp_path, "s1", {name: zipped(files) for name, files in zips.items()})
    one = submissions.read(tmp_path / "s1")
    assert one.files == {SHEET: b"new"} and one.remarks == [f"{older} was left out: {newer} counts"]


def test_a_download_in_the_inbox_is_nobodys_hand_in(tmp_path):
    names = ["lovelaceada_11_901_lab.zip", "Ada Lovelace_22_assignsubmission_file/lab.zip"]
    (tmp_path / "class.zip").write_bytes(zipped({name: zipped({SHEET: "x"}) for name in names}))
    found, notes = submissions.find(tmp_path, [Entry("11", "Ada Lovelace")])
    assert found == [] and notes == [
        "class.zip: a download with many hand-ins, and left out; unpack it into this folder"
    ]


def note(student: str) -> bytes:
    return json.dumps({"student": student}).encode()


OF_SEVERAL = {
    "Canvas, file by file": {"lovelaceada_11_901_answers.toml": b"", "lovelaceada_12_902_answers.toml": b""},
    "folders of Moodle": {f"Ada_{n}_assignsubmission_file/lab.zip": zipped({SHEET: "x"}) for n in (11, 12)},
    "folders named by ID": {"11/answers.toml": b"", "12/answers.toml": b""},
    "zips named by ID": {"lab-11.zip": zipped({SHEET: "x"}), "lab-12.zip": zipped({SHEET: "x"})},
    "notes in folders": {"first/submission.json": note("11"), "second/submission.json": note("12")},
    "notes in zips": {f"{n}th/lab.zip": zipped({"submission.json": note(n)}) for n in ("11", "12")},
}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("files", OF_SEVERAL.values(), ids=OF_SEVERAL)
def test_the_hand_ins_of_several_students_are_not_graded_as_one(tmp_path, files):
    """As they are where an unzip tool made a folder of its own for each download."""
    roster = class_list(tmp_path, ADAS)
    for name in ("one", "another"):
        write(tmp_path / "inbox" / name / "deeper", files)
    (tmp_path / "inbox" / "class.zip").write_bytes(
        zipped({f"class/{name}": data for name, data in files.items()})
    )
    found, notes = submissions.find(tmp_path / "inbox", roster)
    at_once = (
        "a folder with hand-ins of several students, and left out; move them one folder up, or grade it alone"
    )
    assert notes[:1] + notes[-1:] == [f"{name}: {at_once}" for name in ("another", "one")]
    assert found == [] and "class.zip: " in notes[1]


def test_long_or_many_names_in_a_zip_do_not_hold_up_the_others(tmp_path):
    """Comparing each with the class list took minutes, or gigabytes."""
    roster = [Entry(f"s{n}", f"Ada {n}", row={"ID": str(n)}) for n in range(2_000)]
    long = {f"{n}{'_a' * 30_000}/x": b"" for n in range(10)}
    many = {f"a_{n}_1_x": b"" for n in range(5_000, 20_000)} | {SHEET: b"x"}
    write(tmp_path, {"long.zip": zipped(long), "s7.zip": zipped(many)})
    found, notes = submissions.find(tmp_path, roster)
    assert [one.id for one in found] == ["s7"] and [note.split(":")[0] for note in notes] == ["long.zip"]


@pytest.mark.parametrize("student", ["smith", "smith_j", "j", "x-1", "1", "j_x-1", "a.b_c@d"])
def test_the_name_that_lab_submit_gives_says_whose_it_is(student):
    """Also where the IDs of others are parts of the ID: it took the place of theirs."""
    roster = [Entry(one) for one in ("smith", "j", "1", "a.b", "c@d", "smith_j", "x-1", "j_x-1", "a.b_c@d")]
    for name in ("submission-{}.zip", "{}", "{}_final.zip"):
        assert platforms.owner(Path(name.format(student)), roster) == student


@pytest.mark.parametrize("files", OF_SEVERAL.values(), ids=OF_SEVERAL)
@pytest.mark.parametrize("as_zip", [True, False])
def test_one_folder_round_all_hand_ins_changes_nothing(tmp_path, as_zip, files):
    roster = class_list(tmp_path, WORKSHEET.replace("2", "1") if "Moodle" in str(files) else ADAS)
    files = {f"assignment_55_export/{name}": data for name, data in files.items()}
    if as_zip:
        assert unpacked(tmp_path, files | {"__MACOSX/assignment_55_export/._x": b"x"}) == []
    else:
        write(tmp_path / "inbox", files)
    found, notes = submissions.find(tmp_path / "inbox", roster)
    assert {one.id for one in found} == {"11", "12"} and notes == []


@pytest.mark.parametrize(
    "name", ["submission_91/answers.toml", "A_21_assignsubmission_file/answers.toml", "ada_11_7_answers.toml"]
)
def test_one_folder_round_the_only_hand_in_changes_nothing(tmp_path, name):
    row = {"ID": "11", "Identifier": "Participant 21", "Submission ID": "91"}
    write(tmp_path, {f"assignment_55_export/{name}": b"x"})
    [one], notes = submissions.find(tmp_path, [Entry("s1", row=row), Entry("s2")])
    assert (one.id, one.named, one.files, notes) == ("s1", True, {"answers.toml": b"x"}, [])


def test_a_folder_named_after_a_student_is_that_students(tmp_path):
    """Whatever it holds: nobody can hand in for others from there."""
    friends = {f"friends/{name}": data for files in OF_SEVERAL.values() for name, data in files.items()}
    friends = {
        name: data for name, data in friends.items() if "lovelaceada" not in name and "Ada" not in name
    }
    write(tmp_path / "inbox" / "Ada Lovelace", friends | {SHEET: b"own"})
    [one], notes = submissions.find(
        tmp_path / "inbox", [Entry("s1", "Ada Lovelace"), Entry("11"), Entry("12")]
    )
    assert one.id == "s1" and one.files[SHEET] == b"own" and notes == []


@pytest.mark.parametrize("as_zip", [True, False])
def test_files_uploaded_to_canvas_one_by_one_are_one_hand_in(tmp_path, as_zip):
    roster = class_list(tmp_path, ADAS)
    names = ["lovelaceada_11_901_sheet_07_threads.py", "lovelaceada_11_905_sheet_07_threads-1.py"]
    names += ["lovelaceada_11_902_answers.toml", "lovelaceada_LATE_12_903_lab.rar", "lovelaceada_11_904_"]
    if as_zip:
        assert unpacked(tmp_path, {name: name for name in names}) == []
    else:
        hand_in(tmp_path, "inbox", {name: name for name in names})
    found, notes = submissions.find(tmp_path / "inbox", roster)
    first, second = sorted(found, key=lambda one: one.id)
    assert first.files == {SHEET: names[1].encode(), "answers.toml": names[2].encode()}, (
        "the later upload counts"
    )
    assert second.files == {} and "lab.rar was left out" in second.remarks[0]
    assert [platforms.marked_late(one.source.name) for one in (first, second)] == [False, True]
    assert notes == ["lovelaceada_11_904_: not a zip or a folder, and left out"]
    assert {path.name for path in (tmp_path / "inbox").iterdir()} == set(names), "the folder is as it was"


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_download_without_folders_from_moodle_is_one_with_folders(tmp_path, as_zip):
    roster = class_list(tmp_path, WORKSHEET)
    files = {
        "22_assignsubmission_file_sheet_07_threads.py": b"22",
        "22_assignsubmission_file_answers (1).toml": b"a",
    }
    files |= {"22_assignsubmission_onlinetext_onlinetext.html": b"see my files"}
    files |= {
        "21_assignsubmission_file_lab.zip": zipped({SHEET: "21"}),
        "21_assignsubmission_file_lab.rar": b"Rar!",
    }
    files = {f"Ada Lovelace_{name}": data for name, data in files.items()}
    if as_zip:
        assert unpacked(tmp_path, files) == []
    else:
        write(tmp_path / "inbox", files)
    found, notes = submissions.find(tmp_path / "inbox", roster)
    assert {one.id: one.files for one in found} == {
        "s21": {SHEET: b"21"},
        "s22": {SHEET: b"22", "answers.toml": b"a"},
    }
    assert len(notes) == 2 and "s21" in notes[0] and "onlinetext_files: " in notes[1], notes
    pages = {one.source.name: tmp_path / "roster.csv" for one in found}
    with zipfile.ZipFile(platforms.write_feedback(tmp_path / "feedback.zip", pages)) as archive:
        back = {f"Ada Lovelace_{n}_assignsubmission_file_/feedback.html" for n in (21, 22)}
        assert set(archive.namelist()) == back


def test_the_number_of_a_file_is_nobodys_id(tmp_path):
    roster = class_list(tmp_path, ADAS)
    assert unpacked(tmp_path, {"dropped_99_11_lab.zip": zipped({SHEET: "x"})}) == []
    found, [note] = submissions.find(tmp_path / "inbox", roster)
    assert found == [] and "whose is it?" in note


def test_a_link_to_itself_in_the_inbox_is_left_out(tmp_path):
    write(tmp_path / "inbox", {"s1/answers.toml": b"x"})
    (tmp_path / "inbox" / "loop.zip").symlink_to("loop.zip")
    [one], notes = submissions.find(tmp_path / "inbox", [Entry("s1")], tmp_path / "out")
    assert one.id == "s1" and notes == ["loop.zip: not a folder or a file, and left out"]


@pytest.mark.parametrize(
    "name",
    [
        "dropped_99_901_lab-s2.zip",
        "Eve Dropper_21_assignsubmission_file_s2.zip",
        "submission_2",
        "x_2_901_.zip",
    ],
)
def test_who_is_not_in_the_class_list_does_not_hand_in_for_others(name):
    """By the name of the own file, or by a number that is another student's ID, against that student's hand-in."""
    rows = [{"ID": f"1{n}", "Identifier": f"Participant 2{n}", "Submission ID": f"90{n}"} for n in (2, 3)]
    roster = [Entry("s2", "Bob", row=rows[0]), Entry("2", "Ada", row=rows[1])]
    names = ["bob_12_900_lab.zip", "Bob_22_assignsubmission_file_", "submission_902"]
    assert [platforms.owner(Path(one), roster) for one in [*names, name]] == ["s2", "s2", "s2", None]
    assert platforms.owner(Path("bob_77_900_lab.zip"), roster) == "s2", "a class list of another assignment"


def test_moodle_tells_students_of_one_name_apart_by_its_numbers(tmp_path):
    roster = class_list(tmp_path, WORKSHEET)
    folder = "Ada Lovelace_22_assignsubmission_file"
    assert unpacked(tmp_path, {f"{folder}/lab.zip": zipped({SHEET: "22"})}) == []
    [one], notes = submissions.find(tmp_path / "inbox", roster)
    assert (one.id, one.files, notes) == ("s22", {SHEET: b"22"}, [])


def test_an_online_text_does_not_take_the_place_of_a_file(tmp_path):
    """Moodle puts it into a folder of its own, which comes after that of the files."""
    roster = class_list(tmp_path, WORKSHEET)
    names = [f"Ada Lovelace_22_assignsubmission_{kind}" for kind in ("file", "onlinetext")]
    files = {f"{names[0]}/lab.zip": zipped({SHEET: "22"}), f"{names[1]}/onlinetext.html": "see my file"}
    typed_only = "Ada Lovelace_21_assignsubmission_onlinetext"
    assert unpacked(tmp_path, files | {f"{typed_only}/onlinetext.html": "no file"}) == []
    found, notes = submissions.find(tmp_path / "inbox", roster)
    assert {one.id: one.source.name for one in found} == {"s21": typed_only, "s22": names[0]}
    assert notes == [f"{names[1]}: another hand-in of s22, as its name says; {names[0]} counts"]
    assert found[0].remarks == [f"nothing to grade in {typed_only}; make the zip with: python3 lab submit"]


@pytest.mark.parametrize(
    "name", ["lovelaceada_LATE_12_902_lab.zip", "Ada Lovelace_12_assignsubmission_file_", "mine.zip"]
)
def test_feedback_goes_back_under_the_name_that_came(tmp_path, name):
    (tmp_path / "s12.html").write_text("well done")
    written = platforms.write_feedback(tmp_path / "feedback.zip", {name: tmp_path / "s12.html"})
    if name == "mine.zip":
        assert written is None and not (tmp_path / "feedback.zip").exists()
        return
    with zipfile.ZipFile(written) as archive:
        [back] = archive.namelist()
    entry = Entry("s12", "", row={"ID": "12", "Identifier": "Participant 12"})
    named = Path(back.partition("/")[0])  # of the file or, at Moodle, of its folder
    assert platforms.owner(named, [entry]) == "s12" and back.endswith("feedback.html")


def test_feedback_goes_back_to_a_name_in_bytes_of_another_encoding(tmp_path):
    """As some unpackers leave it. It was a traceback after everything had been graded."""
    (tmp_path / "s12.html").write_text("well done")
    pages = {"Zo\udceb B_12_assignsubmission_file_": tmp_path / "s12.html"}
    with zipfile.ZipFile(platforms.write_feedback(tmp_path / "feedback.zip", pages)) as archive:
        assert archive.namelist() == ["Zo? B_12_assignsubmission_file_/feedback.html"]


def test_moodles_worksheet_comes_back_with_grades_and_nothing_else_changed(tmp_path):
    roster = class_list(tmp_path, WORKSHEET)
    result = Result("s21", "", [Mark("02_handshake", "parse_tcp", "done", 3, 4)])
    write_grades(tmp_path, roster, {"s21": result}, [])
    before, after = (list(csv.DictReader(io.StringIO(text))) for text in (
        WORKSHEET, (tmp_path / "moodle-worksheet.csv").read_text("utf-8")
    ))  # fmt: skip
    assert [row["Grade"] for row in after] == ["37.5", "-"], (
        "75 % of 50; nothing was handed in, so nothing is said"
    )
    for row in (*before, *after):
        del row["Grade"], row["Feedback comments"]
    assert before == after


@pytest.mark.parametrize(("most", "grade"), [("50,00", "37.5"), ("", "75.0")])
def test_full_marks_are_as_many_points_as_the_worksheet_says(tmp_path, most, grade):
    """A Moodle in German writes a decimal comma."""
    roster = class_list(tmp_path, WORKSHEET.replace("50.00", f'"{most}"'))
    write_grades(
        tmp_path, roster, {"s21": Result("s21", "", [Mark("02_handshake", "parse_tcp", "done", 3, 4)])}, []
    )
    first = next(csv.DictReader(io.StringIO((tmp_path / "moodle-worksheet.csv").read_text("utf-8"))))
    assert first["Grade"] == grade


def test_lines_of_another_length_come_back_in_the_worksheets_columns(tmp_path):
    heading, first, _ = WORKSHEET.splitlines()
    roster = class_list(tmp_path, f"{heading}\n{first},beyond\nParticipant 22,Ada Lovelace,s22\n")
    write_grades(tmp_path, roster, {}, [])
    lines = list(csv.reader(io.StringIO((tmp_path / "moodle-worksheet.csv").read_text("utf-8"))))
    assert lines[0] == heading.split(",") and {len(line) for line in lines} == {len(lines[0])}
    assert "None" not in lines[2]


def test_a_worksheet_with_a_scale_is_refused_before_anything_is_graded(tmp_path):
    class_list(tmp_path, WORKSHEET.replace("50.00", "Very good"))
    (tmp_path / "in").mkdir()
    done = run(command(tmp_path))
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "s21: 'Maximum Grade' is 'Very good', not a number" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_empty_cell_of_a_gradebook_stays_empty(tmp_path):
    roster = class_list(tmp_path, ADAS + '"Hopper, Grace",99,\n')
    write_grades(tmp_path, roster, {}, [])
    with open(tmp_path / "canvas.csv", encoding="utf-8") as file:
        assert [row["SIS User ID"] for row in csv.DictReader(file)] == ["s11", "s12", "s13", ""]


def test_canvas_own_lines_are_not_students(tmp_path, capsys):
    """Its test student has an ID, and would be recorded, graded and counted."""
    roster = class_list(tmp_path, ADAS + '"Student, Test",99,7f8a9b\n"   Points Possible",0,\n')
    assert [one.id for one in roster] == ["11", "12", "13"] and capsys.readouterr().err == ""


def test_an_address_that_cannot_be_an_id_is_refused_with_a_next_step(tmp_path):
    """An apostrophe in an ID would leave a student's shell waiting for another one after ``lab submit``."""
    worksheet = WORKSHEET.replace("ID number,", "").replace(",s21,a@x", ",ann.o'neill@x").replace(",s22", "")
    with pytest.raises(
        RosterError, match="line 2: .*o'neill@x.* change it, or add a column 'id'.* before you record"
    ):
        class_list(tmp_path, worksheet)


def test_gradescopes_first_and_last_names_are_joined(tmp_path):
    rows = "Ana Maria,Lopez,s1,a@x\nPlato,,s2,b@x\n"
    roster = class_list(tmp_path, f"First Name,Last Name,SID,Email\n{rows}")
    assert [one.name for one in roster] == ["Ana Maria Lopez", "Plato"]


def test_gradescopes_number_says_whose_a_hand_in_is(tmp_path):
    """Whatever is in it: who copies a friend's note or answers.toml does not hand in for the friend."""
    roster = class_list(tmp_path, "SID,Email,Submission ID\ns1,a@x,900001\ns2,b@x,900002\ns3,c@x,\n")
    files = {"submission_900001/submission.json": note("s1"), "submission_900002/submission.json": note("s1")}
    files |= {
        "submission_900002/sheet_07_threads.py": b"s2",
        "submission_900003/answers.toml": b'student = "s1"',
    }
    assert unpacked(tmp_path, {f"assignment_55_export/{name}": data for name, data in files.items()}) == []
    found, notes = submissions.find(tmp_path / "inbox", roster)
    assert {one.id: one.source.name for one in found} == {
        "s1": "submission_900001",
        "s2": "submission_900002",
    }
    whose = "whose is it? Neither its name nor its note is on the roster; rename it to the student's ID"
    assert notes == [f"submission_900003: {whose}"]


def test_an_empty_folder_in_a_zip_is_named_as_one_in_a_folder(tmp_path):
    empty = "Ada Lovelace_22_assignsubmission_file"
    assert unpacked(tmp_path, {f"{empty}/": "", "../nobody/": "", "/": ""}) == []
    [one], notes = submissions.find(tmp_path / "inbox", class_list(tmp_path, WORKSHEET))
    assert one.id == "s22" and one.remarks[0].startswith(f"nothing to grade in {empty}")
    assert len(notes) == 1 and notes[0].startswith("nobody: whose is it?")


def test_an_upload_that_is_not_a_zip_is_named(tmp_path):
    roster = class_list(tmp_path, ADAS)
    assert unpacked(tmp_path, dict.fromkeys(["README.txt", ".DS_Store"], "x")) == []
    assert submissions.find(tmp_path / "inbox", roster) == (
        [], ["README.txt: not a zip or a folder, and left out"],
    )  # fmt: skip


def test_capitals_in_the_name_of_a_zip_change_nothing(tmp_path):
    roster = class_list(tmp_path, ADAS)
    for name in ("lovelaceada_11_901_LAB.ZIP", "lovelaceada_11_902_LAB.Zip"):
        (tmp_path / name).write_bytes(zipped({SHEET: name}))
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "LAB.ZIP").write_bytes(zipped({SHEET: "12"}))
    (tmp_path / "roster.csv").unlink()
    found, _ = submissions.find(tmp_path, roster)
    assert {one.id: one.files for one in found} == {
        "11": {SHEET: b"lovelaceada_11_902_LAB.Zip"},
        "12": {SHEET: b"12"},
    }


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_number_that_a_browser_adds_to_a_name_changes_nothing(tmp_path, as_zip):
    files = {SHEET: "plain", SHEET.replace(".", " (1)."): "again"}
    files |= {"answers (2).toml": "a", "plain(1).pcapng": "p"}
    if as_zip:
        (tmp_path / "s1.zip").write_bytes(zipped(dict(reversed(files.items()))))
    else:
        hand_in(tmp_path, "s1", files)
    [one], _ = submissions.find(tmp_path, [Entry("s1")])
    assert one.files == {SHEET: b"plain", "answers.toml": b"a", "plain.pcapng": b"p"}
    again = "sheet_07_threads (1).py was left out: nothing of this name is read"
    assert one.remarks == [f"{again}; make the zip with: python3 lab submit"]


def test_work_under_another_name_is_named_and_counts_for_nothing(tmp_path):
    lost = [
        "sheet_07_threads copy.py",
        "Sheet 7.py.txt",
        "mine\\sheet_07_threads.py",
        "work.rar",
        "again.zip",
    ]
    others = ["._sheet_07_threads.py", "__MACOSX/sheet_07_threads-1.py", "notes.txt"]
    (tmp_path / "s1.zip").write_bytes(zipped(dict.fromkeys([*lost, *others, "sheet_07_thread.py"], "x")))
    (tmp_path / "s1-1.zip").write_bytes(zipped({"notes.txt": "x"}))
    (tmp_path / "s1-2.zip").write_bytes(b"Rar!")
    [one], notes = submissions.find(tmp_path, [Entry("s1")])
    assert [remark.partition(" was left out")[0] for remark in one.remarks[:-1]] == lost
    assert one.remarks[-1] == "sheet_07_thread.py is not the name of a sheet"
    assert notes == [f"s1-{n}.zip: another hand-in of s1, as its name says; s1.zip counts" for n in (1, 2)]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Tuesday, 1 December 2026, 11:58 PM", datetime(2026, 12, 1, 23, 58)),
        ("Tuesday, December 1, 2026, 11:58 PM", datetime(2026, 12, 1, 23, 58)),
        ("2026-12-01 23:58:00 -0700", datetime(2026, 12, 1, 23, 58, tzinfo=timezone(-timedelta(hours=7)))),
        ("2026-12-01T23:58:00+01:00", datetime(2026, 12, 1, 23, 58, tzinfo=timezone(timedelta(hours=1)))),
        ("-", None),
        ("", None),
    ],
)
def test_the_time_of_a_hand_in_is_read_as_platforms_write_it(text, when):
    assert platforms.handed_in(Entry("s1", row={"Last modified (submission)": text})) == when


def test_a_time_that_cannot_be_read_is_said():
    with pytest.raises(
        RosterError, match="s1 handed in at 'Dienstag': write it as 2026-.* set Moodle to English"
    ):
        platforms.handed_in(Entry("s1", row={"Submitted at": "Dienstag"}))


def test_a_hostile_file_in_a_download_costs_only_itself(tmp_path, monkeypatch):
    good = "lovelaceada_11_901_lab.zip"
    names = [
        "../../escape.zip",
        "/tmp/absolute.zip",
        "a" * 5000 + ".zip",
        "nul\0l.zip",
        f"{good}/below",
        good,
    ]
    left_out = unpacked(tmp_path, dict.fromkeys(names, "x"))
    assert any("a" * 100 in line for line in left_out) and all(len(line) < 700 for line in left_out)
    assert {path.name for path in tmp_path.iterdir()} == {"download.zip", "inbox"}
    assert not Path("/tmp/absolute.zip").exists()
    (tmp_path / "nameless.zip").write_bytes(zipped({"Z": "x"}).replace(b"Z", b"\0"))
    assert untrusted.unpack_download(tmp_path / "nameless.zip", tmp_path / "inbox") == []
    (tmp_path / "nameless.zip").unlink()
    bombs = unpacked(tmp_path, {"bomb.zip": bytes(1000)}, zipfile.ZIP_LZMA)
    assert bombs == ["bomb.zip was left out: neither stored nor deflated"]
    monkeypatch.setattr(untrusted, "MOST_ENTRIES", 3)
    with pytest.raises(zipfile.BadZipFile, match="more than 3 files"):
        unpacked(tmp_path, dict.fromkeys("abcd", ""))


@pytest.mark.parametrize("damage", [("version", 6, 99), ("name", 46, 0xFF)], ids=lambda damage: damage[0])
def test_a_damaged_download_is_refused_in_a_line(tmp_path, capsys, damage):
    class_list(tmp_path, ADAS)
    data = bytearray(zipped({"lovel\u00e4ceada_11_901_lab.zip": "x"}))
    data[data.index(b"PK\1\2") + damage[1]] = damage[2]
    (tmp_path / "in.zip").write_bytes(data)
    options = ["--roster", tmp_path / "roster.csv", "--no-sandbox", "--out", tmp_path / "out"]
    assert grade.main([str(word) for word in (tmp_path / "in.zip", *options)]) == 2
    assert f"lab grade: {tmp_path / 'in.zip'} cannot be unpacked: " in capsys.readouterr().err


def test_a_name_cannot_add_lines_to_what_the_instructor_reads(tmp_path, capsys):
    class_list(tmp_path, ADAS)
    write(tmp_path / "in", {"x\n  same recording: Ada (11) and Ada (12)": b""})
    options = ["--roster", tmp_path / "roster.csv", "--no-sandbox", "--out", tmp_path / "out"]
    assert grade.main([str(word) for word in (tmp_path / "in", *options)]) == 2
    assert "\n  same recording" not in capsys.readouterr().out


@pytest.mark.maintainers
def test_a_platforms_zip_is_graded_as_a_folder_is(tmp_path):
    roster = class_list(tmp_path, ADAS)
    assert len(roster) == 3
    name = "lovelaceada_LATE_12_902_lab.zip"
    (tmp_path / "in").write_bytes(b"")  # in the place of a folder
    (tmp_path / "in.zip").write_bytes(zipped({name: zipped({SHEET: solution()})}))
    (tmp_path / "course.toml").write_text("due = 2026-12-01T12:00:00Z\npercent_a_day = 10\n")
    words = [str(tmp_path / "in.zip") if word == str(tmp_path / "in") else word for word in command(tmp_path)]
    done = run([*words, "--rules", str(tmp_path / "course.toml")])
    assert done.returncode == 0, done.stderr
    assert marks(tmp_path, "12")["07_threads.next_batch"]["points"] == 3, "kept as graded"
    with open(tmp_path / "out" / "grades.csv", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["ID"] == "12")
    assert (row["Points Before"], row["Points"], row["Days Late"]) == ("11.0", "9.9", "1")
    page = (tmp_path / "out" / "feedback" / "12.html").read_text("utf-8")
    assert page.count("1 day late: 10 % off everything.") == 1 and "Before the deduction: 11 points." in page
    with zipfile.ZipFile(tmp_path / "out" / "feedback.zip") as archive:
        assert archive.namelist() == ["lovelaceada_LATE_12_902_feedback.html"]


@pytest.mark.as_root
@pytest.mark.maintainers
def test_gradescope_marks_as_the_grader_here(tmp_path, capsys):
    """In the folders that Gradescope makes; its container has no namespaces."""
    if reason := sandbox.probe(sandbox.LANDLOCK, tmp_path):
        pytest.skip(f"no Landlock here: {reason}")
    base, key = tmp_path / "autograder", "a key"
    roster = tmp_path / "roster.csv"
    roster.write_text("Name,SIS User ID,Email\nAda,s1,Ada@x.edu\nJohn,s2,john@x.edu\n")
    options = ["--gradescope", str(tmp_path / "a.zip"), "--roster", str(roster), "--course", key]
    assert release.main(options) == 0 and "the default key" not in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(base / "source")
        assert archive.getinfo("run_autograder").external_attr >> 16 == 0o755
    (base / "source" / "kit" / ".venv").symlink_to(sys.prefix)  # what setup.sh makes
    wrong = solution().replace("pending -= sent", "pass")
    files = {SHEET: wrong, "sheet_02_handshake.py": "import os\n1/0\n"}
    hand_in(base, "submission", files)
    hand_in(tmp_path / "in", "s1", files)
    (base / "results").mkdir()
    user = {"email": "ada@x.edu", "name": "Ada", "id": 7}
    (base / "submission_metadata.json").write_text(json.dumps({"users": [user]}))
    (base / "run_autograder").write_bytes((base / "source" / "run_autograder").read_bytes())
    words = refusing([UNSHARE], ["/bin/bash", str(base / "run_autograder")])
    done = run(words)
    assert done.returncode == 0 and "in a sandbox of Landlock" in done.stdout, done.stderr
    here = run(command(tmp_path, "--course", key))
    assert here.returncode == 0, here.stderr
    results = [base / "results" / "results.json", tmp_path / "out" / "gradescope" / "s1" / "results.json"]
    there, here = (json.loads(path.read_text("utf-8")) | {"execution_time": 0} for path in results)
    assert there == here and there["score"] > 0
    user["email"] = user["name"] = "eve@x.edu"
    (base / "submission_metadata.json").write_text(json.dumps({"users": [user]}))
    done = run(words)
    assert done.returncode == 2 and "eve@x.edu is not on the roster" in done.stderr


def test_the_autograder_has_nothing_but_the_kit(tmp_path, monkeypatch, capsys):
    """Hand-ins, grades and recordings of a class may lie in the kit's folder, too."""
    class_list(tmp_path, "SID,Email\ns1,a@x\n")
    kit = tmp_path / "kit"
    recorded = ("captures/s1/about.json", "captures/s1/plain.pcapng")
    for name in ("lab/server.py", "inbox/s1.zip", "grades.csv", *recorded):
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_text("x")
    for module in (students_copy, gradescope):
        monkeypatch.setattr(module, "ROOT", kit)
    words = ["--gradescope", str(tmp_path / "a.zip"), "--roster", str(tmp_path / "roster.csv")]
    assert release.main(words) == 0
    assert capsys.readouterr().out.startswith("the default key is in use: ")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = {name for name in archive.namelist() if name.startswith("kit/")}
    assert names == {"kit/lab/server.py"}


def test_a_name_does_not_say_whose_a_hand_in_is_on_gradescope(tmp_path):
    """Students can change the name in their account, and would be graded with a friend's recording."""
    friend = {"email": "eve@x", "name": "Ada Lovelace"}
    (tmp_path / "m.json").write_text(json.dumps({"users": [friend]}))
    with pytest.raises(RosterError, match="eve@x is not on the roster"):
        gradescope.find_owner(tmp_path / "m.json", [Entry("s1", "Ada Lovelace", "ada@x")])


def test_an_autograder_needs_everyones_address(tmp_path, capsys):
    class_list(tmp_path, "SID,Email\ns1,a@x\ns2,\n")
    words = ["--gradescope", str(tmp_path / "a.zip"), "--roster", str(tmp_path / "roster.csv")]
    assert release.main(words) == 2 and not (tmp_path / "a.zip").exists()
    assert "has no e-mail address of s2" in capsys.readouterr().err


def test_gradescopes_metadata_is_read_with_care(tmp_path):
    for text in ("", "[]", "{}", '{"users": []}', '{"users": [7]}', "[" * 100_000):
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(RosterError, match="is not Gradescope's"):
            gradescope.find_owner(tmp_path / "m.json", [Entry("s1")])


def test_setup_installs_what_the_kit_needs():
    assert subprocess.run(["bash", "-n", "-c", gradescope.SETUP], timeout=60).returncode == 0
    named = gradescope.SETUP.split("python3 lab --no-system dissect ")[1].strip()
    assert (ROOT / named).is_file()
