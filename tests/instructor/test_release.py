"""The students' copy: nothing of the solutions in it, and green by its own tests."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from lab import capture
from lab.instructor import stubs, students_copy
from lab.instructor.commands import grade, release
from tests.bench.misconceptions import all_tasks
from tests.instructor.hand_ins import lab, run
from tests.support import ROOT, only, read_notebook, run_notebook


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The students' copy, as it is handed out; its zip lies beside it."""
    dest = tmp_path_factory.mktemp("release") / "students-lab"
    assert students_copy.release(dest) > 50
    return dest


@pytest.fixture(scope="module")
def copy(released, tmp_path_factory):
    """A copy of it, as a student has it: to run things in."""
    return shutil.copytree(released, tmp_path_factory.mktemp("student") / released.name)


def test_no_marked_region_and_no_hidden_check_is_in_the_copy(released):
    assert students_copy.leaks(released) == []
    regions, lines = students_copy.secret_regions(), students_copy.secret_lines()
    assert len(regions) >= 17 and len(lines) > 60
    everything = {path: path.read_bytes() for path in released.rglob("*") if path.is_file()}
    for line, where in lines.items():  # once more, without the help of the code under test
        assert not [
            path for path, data in everything.items() if line.encode() in data and path.suffix == ".py"
        ], where
    names = {path.relative_to(released).as_posix() for path in everything}
    assert not [
        name
        for name in names
        if "solution" in name or "hidden" in name or "answer_key" in name or "instructor" in name
    ]
    assert not any("captures/mine" in name or "__pycache__" in name or ".git/" in name for name in names)


@pytest.mark.parametrize("name", ["lab/exercises/x.py", "notebooks/x.ipynb", "README.md"])
def test_a_leak_would_be_found(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    solution = (ROOT / "lab" / "instructor" / "solutions" / "sheet_06_bad_weather.py").read_text(
        encoding="utf-8"
    )
    begin, end = next(stubs.regions(solution))
    path.write_text(
        "\n".join("    " + line for line in solution.splitlines()[begin + 1 : end]), encoding="utf-8"
    )
    assert any("sheet_06" in leak for leak in students_copy.leaks(tmp_path))
    path.write_text("nothing")
    assert students_copy.leaks(tmp_path) == []
    (tmp_path / "lab" / "instructor").mkdir(parents=True)
    (tmp_path / "tests" / "harness").mkdir(parents=True)
    assert students_copy.leaks(tmp_path) == ["lab/instructor is in the copy", "tests/harness is in the copy"]


def test_its_pages_point_nowhere_else(released):
    pages = list(released.rglob("README.md"))
    for page in pages:
        for target in students_copy.LINK.findall(page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page}: {target}"
        for target in students_copy.TESTS_NAMED.findall(page.read_text(encoding="utf-8")):
            assert (released / target).exists(), f"{page}: {target}"
    assert "draw_payload_sizes(flow" in (released / "lab" / "README.md").read_text(encoding="utf-8")
    assert "## For students" in (released / "README.md").read_text(encoding="utf-8")
    assert "lab/instructor" not in (released / "README.md").read_text(encoding="utf-8")
    assert not [page for page in pages if "## Contributing" in page.read_text(encoding="utf-8")]


def test_the_zip_holds_the_same(released):
    with zipfile.ZipFile(students_copy.zip_path(released)) as archive:
        in_zip = {
            name.removeprefix(released.name + "/") for name in archive.namelist() if not name.endswith("/")
        }
    assert in_zip == {path.relative_to(released).as_posix() for path in released.rglob("*") if path.is_file()}


def run_in(copy, *words, timeout=110):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "lab", *words]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=timeout, env=environment)


@pytest.mark.parametrize(
    "main, words",
    [
        (capture.main, ["--student", "ann"]),
        (grade.main, ["inbox", "--roster", "roster.csv"]),
        (release.main, ["--gradescope", "a.zip", "--roster", "roster.csv"]),
    ],
    ids=["capture", "grade", "release"],
)
def test_a_key_that_is_empty_is_refused(main, words, capsys):
    with pytest.raises(SystemExit) as left:
        main([*words, "--course", ""])
    assert left.value.code == 2 and "the course's key is empty" in capsys.readouterr().err


def test_of_the_kits_own_tests_it_has_the_checks_alone(released):
    assert [path.name for path in (released / "tests").iterdir()] == ["exercises"]
    assert not (released / ".ci").exists()
    for path in (released / "tests" / "exercises").glob("*.py"):
        assert not re.search(r"^\s*(from|import) tests\b", path.read_text(encoding="utf-8"), re.MULTILINE), (
            path
        )


def test_its_test_command_runs_these_checks(copy):
    done = run_in(copy, "test", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert f"{len(all_tasks())} xfailed" in done.stdout
    readme = (copy / "README.md").read_text(encoding="utf-8")
    assert "lab check" in readme and "lab test" not in readme


def test_no_option_of_it_names_a_file_that_is_missing(copy):
    printed = run_in(copy, "test", "tests/exercises", "--help").stdout
    assert "--time-limit" in printed and "--solutions" not in printed and "for maintainers" not in printed
    printed = run_in(copy, "capture", "--help").stdout
    assert "--student" in printed and "--roster" not in printed


@pytest.mark.maintainers
def test_every_command_of_it_explains_itself(copy):
    for command in re.findall(r"^  (\w+) ", run_in(copy).stdout, flags=re.MULTILINE):
        done = run_in(copy, command, "--help")
        assert done.returncode == 0 and "usage:" in done.stdout, done.stderr


@pytest.mark.maintainers
def test_a_student_records_submits_and_sees_the_demo_in_it(copy, tmp_path):
    mine = copy / "captures" / "mine"
    done = run_in(copy, "capture", "--student", "ann", "--out", mine)
    assert done.returncode == 0 and (mine / "ann" / "answers.toml").exists(), done.stderr
    done = run_in(copy, "submit", "--out", tmp_path / "ann.zip")
    assert done.returncode == 0 and "Hand in this one file" in done.stdout, done.stderr
    with zipfile.ZipFile(tmp_path / "ann.zip") as archive:
        assert any(name.endswith("answers.toml") for name in archive.namelist())
    done = run_in(copy, "demo", "--quiet", "--out", tmp_path / "demo")
    assert done.returncode == 0 and (tmp_path / "demo" / "report.html").exists(), done.stderr
    shutil.rmtree(mine)


FIRST = "00_start_here.ipynb"
FOUR = [FIRST, "05_plaintext_or_tls.ipynb", "09_what_tls_still_tells.ipynb", "10_somebody_who_acts.ipynb"]


@pytest.mark.parametrize("name", only(FOUR, FIRST))
def test_its_notebooks_run_and_every_figure_has_a_text_twin(copy, name):
    notebook = read_notebook(copy / "notebooks" / name)
    run_notebook(notebook, copy)
    outputs = [(cell, output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for _, output in outputs if output.output_type == "error"]
    for cell, output in outputs:
        if "image/png" in output.get("data", {}):
            assert "alt=" in cell.source and "describe_" in cell.source


@pytest.mark.maintainers
def test_it_has_the_command_that_serves_them(copy):
    done = run_in(copy, "notebooks", "--version")
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_every_exercise_in_it_reads_not_attempted(copy):
    done = run_in(copy, "check")
    assert done.returncode == 0 and done.stdout.count("not attempted") == len(all_tasks())
    assert f"0 of {len(all_tasks())} tasks done" in done.stdout


def test_its_front_door_has_what_students_need_and_no_more(copy):
    usage = run_in(copy).stdout
    assert "\n  check " in usage and "\n  submit " in usage and "\n  capture " in usage
    assert "\n  grade " not in usage and "\n  release " not in usage


def test_it_refuses_to_write_over_something(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    done = run(lab("release", tmp_path / "there"))
    assert done.returncode == 2 and "there already" in done.stderr
    assert (tmp_path / "there" / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("words", [["there"], ["--gradescope", "there.zip", "--roster", "r.csv"]])
def test_it_refuses_to_replace_a_zip(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text("id,email\ns1,a@x\n")
    (tmp_path / "there.zip").write_text("mine")
    assert release.main(words) == 2 and "there.zip is there already" in capsys.readouterr().err
    assert (tmp_path / "there.zip").read_text() == "mine" and not (tmp_path / "there").exists()


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert release.main([str(tmp_path / "file" / "copy")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lab release: cannot write {tmp_path / 'file' / 'copy'}: ") and "choose" in error


@pytest.mark.maintainers
def test_a_sheet_that_the_instructor_has_worked_on_is_handed_out_as_new(tmp_path, monkeypatch):
    worked_on = ROOT / "lab" / "exercises" / "sheet_02_handshake.py"
    new = worked_on.read_bytes()
    kit = tmp_path / "kit"
    for name in students_copy.files_of_the_kit():
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, kit / name)
    sheet = kit / "lab" / "exercises" / "sheet_02_handshake.py"
    sheet.write_bytes((stubs.SOLUTIONS / "sheet_02_handshake.py").read_bytes())
    done = subprocess.run([sys.executable, "lab", "release", "copy"], cwd=kit, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (kit / "copy" / "lab" / "exercises" / sheet.name).read_bytes() == new
    # Making the sheets again keeps what was worked on.
    done = subprocess.run([sys.executable, "lab", "stubs"], cwd=kit, capture_output=True, text=True)
    assert done.returncode == 0 and sheet.read_bytes() == new
    assert sheet.with_name(sheet.name + ".old").read_bytes() == (stubs.SOLUTIONS / sheet.name).read_bytes()
    done = subprocess.run(
        [sys.executable, "lab", "release", "copy2"], cwd=kit, capture_output=True, text=True
    )
    assert done.returncode == 0 and not list((kit / "copy2").rglob("*.old")), done.stderr
    assert "## For instructors" not in (kit / "copy2" / "README.md").read_text(encoding="utf-8")


def test_what_an_instructor_keeps_beside_the_kit_stays_behind(tmp_path, monkeypatch):
    kept = [
        "inbox/s1/notes.txt",
        "grades/grades.csv",
        "roster.csv",
        "captures/class/s1/plain.pcapng",
        "lab/new.py",
    ]
    for name in [*kept, "captures/class/s1/about.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.setattr(students_copy, "ROOT", tmp_path)
    assert list(students_copy.files_for_students()) == ["lab/new.py"]
