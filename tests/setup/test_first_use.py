"""Setting the kit up on first use, with packages made here, so that no registry is asked; and what it must never destroy."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from lab.setup import first_use, system_packages
from tests.support import ROOT

ANOTHER_PYTHON = (  # of another version, as far as the kit can see
    "import sys; sys.version = '3.99'; sys.path.insert(0, ''); sys.argv[0] = 'lab'; import runpy; "
    "runpy.run_module('lab', run_name='__main__')"
)


def bare_python() -> str:
    """The Python that this environment was made from, which need not have any package."""
    return getattr(sys, "_base_executable", sys.executable)


def run(kit, *words, **settings):
    """``lab test`` in a kit that answers with its prefix; pip finds only what lies beside the kit."""
    return subprocess.run(
        [bare_python(), *(words or ("lab", "--no-system", "test"))],
        cwd=kit,
        capture_output=True,
        text=True,
        timeout=100,
        env=offline(kit, **settings),
    )


def offline(kit, **settings):
    without_uv = os.pathsep.join(
        folder for folder in os.get_exec_path() if not shutil.which("uv", path=folder) or os.name == "nt"
    )
    return {
        **os.environ,
        "PATH": without_uv,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": kit.parent.as_uri(),
        **settings,
    }


def make_wheel(folder, version):
    wheel = folder / f"lab_kit_tiny_package-{version}-py3-none-any.whl"
    info = f"lab_kit_tiny_package-{version}.dist-info"
    files = {
        "lab_kit_tiny_package/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: lab-kit-tiny-package\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"lab_kit_tiny_package/__init__.py,,\n{info}/RECORD,,\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(
                zipfile.ZipInfo(name), text
            )  # dated 1980, so that the hash is the same each time
    return wheel


def write_lock(kit, version, digest):
    (kit / "requirements.txt").write_text(f"lab-kit-tiny-package>={version},<9\n")
    (kit / "lab" / "setup" / "requirements.lock").write_text(
        f"lab-kit-tiny-package=={version} --hash=sha256:{digest}\n"
    )


def digest_of(wheel) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def kit(tmp_path):
    """The kit's code, one tiny package in its lock, and no environment."""
    kit = tmp_path / "Kit für mich"
    shutil.copytree(ROOT / "lab", kit / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    (kit / "lab" / "commands" / "test.py").write_text(
        "def main(argv):\n import sys; print(sys.prefix, argv)\n return 0\n"
    )
    write_lock(kit, "1", digest_of(make_wheel(kit.parent, "1")))
    return kit


@pytest.fixture
def set_up_kit(kit, once):
    """The same after its set-up, with something of the user's in its environment."""

    def make(folder):
        first = run(kit, "lab", "--no-system", "test", "a b")
        assert first.returncode == 0 and "First use" in first.stderr, first.stderr
        assert first.stdout == f"{prefix(kit)} ['a b']\n"
        (kit / ".venv").rename(folder / ".venv")

    shutil.copytree(once("a set-up", make) / ".venv", kit / ".venv", symlinks=True)
    (kit / ".venv" / "mine.txt").write_text("mine")
    return kit


@pytest.fixture
def kit_with_pip(set_up_kit):
    """The same, cut off before its package was installed: a set-up that begins behind the slow part."""
    for path in (set_up_kit / ".venv").rglob("lab_kit_tiny_package*"):
        shutil.rmtree(path)
    (set_up_kit / ".venv" / "ready").write_text(first_use.UNFINISHED)
    return set_up_kit


def is_untouched(kit) -> bool:
    return (kit / ".venv" / "mine.txt").exists()


def assert_refused(done):
    """Exit code 2 and one line, whatever else stands above it."""
    assert done.returncode == 2, done
    assert done.stderr.splitlines()[-1].startswith("lab: ") and "Traceback" not in done.stderr
    assert done.stdout == ""


def prefix(kit) -> str:
    return str((kit / ".venv").resolve())


def test_requirements_are_read():
    names = first_use.requirements()
    assert {"scapy", "pyshark", "matplotlib", "jupyter", "pytest", "cypcap", "numpy"} <= set(names)
    assert all(re.fullmatch(r">=[\d.]+(,<[\d.]+)?", versions) for versions in names.values()), names
    assert ("pyroute2" in names) == (sys.platform == "linux")
    assert first_use.missing_packages() == []


@pytest.mark.parametrize(
    ("version", "versions", "within"),
    [
        ("2.5.0", ">=2.5,<3", True),
        ("2.10", ">=2.5,<3", True),
        ("2", ">=2.0,<3", True),
        ("v2.6rc1", ">=2.5,<3", True),
        ("2.4.5", ">=2.5,<3", False),
        ("3.0", ">=2.5,<3", False),
        ("unknown", ">=2.5,<3", False),
        (None, ">=2.5,<3", False),  # a package that was half removed
    ],
)
def test_a_package_of_another_version_does_not_count(monkeypatch, version, versions, within):
    monkeypatch.setattr(first_use, "requirements", lambda: {"scapy": versions})
    monkeypatch.setattr(first_use.importlib.metadata, "version", lambda name: version)
    assert first_use.missing_packages() == ([] if within else [f"scapy{versions}"])


# --- the lock ---------------------------------------------------------------------------------------------------------


def locked() -> dict[str, set[str]]:
    """What the lock names: package and its versions, one for each range of Pythons."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", first_use.LOCK.read_text(), flags=re.MULTILINE):
        found.setdefault(name.lower(), set()).add(version)
    return found


def test_the_lock_and_the_ranges_agree():
    packages = locked()
    assert len(packages) > 100
    text = first_use.REQUIREMENTS.read_text(encoding="utf-8")
    for line in filter(
        None, (line.partition("#")[0].partition(";")[0].strip() for line in text.splitlines())
    ):
        name, versions = re.fullmatch(r"([\w.-]+)(.*)", line).groups()
        assert packages.get(name), f"{name} is not in the lock: its first line says how to make it again"
        for version in packages[name]:
            assert first_use.is_within(version, versions), f"{name} {version} is not within {versions}"


def test_every_package_of_the_lock_has_hashes_and_no_place():
    text = first_use.LOCK.read_text()
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    assert "uv pip compile --universal" in entries[0]
    for entry in entries[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry
        assert not re.search(r"://|@|--(index|find-links|extra|trusted)", entry), entry


@pytest.mark.maintainers
def test_what_the_lock_names_is_installed_and_not_the_newest(kit_with_pip):
    make_wheel(kit_with_pip.parent, "2")
    done = run(kit_with_pip)
    assert done.returncode == 0 and "the lock does not" not in done.stderr, done.stderr
    assert list((kit_with_pip / ".venv").rglob("lab_kit_tiny_package-1.dist-info"))


@pytest.mark.maintainers
def test_where_the_lock_has_nothing_the_ranges_decide_and_one_line_says_so(kit_with_pip):
    write_lock(kit_with_pip, "3", "0" * 64)
    (kit_with_pip / "requirements.txt").write_text("lab-kit-tiny-package>=1,<9\n")
    done = run(kit_with_pip)
    assert done.returncode == 0 and done.stderr.count("the lock does not cover") == 1, done.stderr
    assert list((kit_with_pip / ".venv").rglob("lab_kit_tiny_package-1.dist-info"))


def test_a_file_with_another_hash_is_not_installed(kit_with_pip):
    write_lock(kit_with_pip, "1", "0" * 64)
    done = run(kit_with_pip)
    assert_refused(done)
    assert "not the one in lab/setup/requirements.lock" in done.stderr
    assert not list((kit_with_pip / ".venv").rglob("lab_kit_tiny_package*"))


@pytest.mark.maintainers
def test_a_package_that_is_not_in_the_lock_yet(kit_with_pip):
    """As after an edit of requirements.txt."""
    (kit_with_pip / "lab" / "setup" / "requirements.lock").write_text("")
    done = run(kit_with_pip)
    assert done.returncode == 0 and "the lock does not cover" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a program as a shell script")
def test_uv_is_used_where_it_is(kit, tmp_path):
    called = tmp_path / "called"
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{called}"\necho "error: dns error; Failed to fetch" >&2\nexit 1\n'
    )
    uv.chmod(0o755)
    done = run(kit, PATH=f"{uv.parent}{os.pathsep}{os.environ['PATH']}")
    assert_refused(done)
    assert done.stderr.splitlines()[-1].startswith("lab: the package registry cannot be reached")
    words = called.read_text().splitlines()
    assert (
        words[:2] == ["pip", "install"] and "--require-hashes" in words and f"{kit}/.venv/bin/python" in words
    )


# --- the first time ---------------------------------------------------------------------------------------------------


def test_the_second_time_it_starts_at_once(set_up_kit):
    done = run(set_up_kit, PIP_FIND_LINKS="")
    assert done.returncode == 0 and done.stderr == "" and done.stdout == f"{prefix(set_up_kit)} []\n"


@pytest.mark.maintainers
def test_the_set_up_stops_where_pip_finds_nothing(kit_with_pip):
    (kit_with_pip / "requirements.txt").write_text("no-such-package-in-any-index-of-packages>=1,<2\n")
    done = run(kit_with_pip)
    assert done.returncode == 2
    assert "lab: the packages could not be installed" in done.stderr and "no-such-package" in done.stderr
    assert "Traceback" not in done.stderr and (kit_with_pip / ".venv" / "ready").read_text() == "unfinished"


def test_a_registry_out_of_reach_is_one_line(kit_with_pip):
    """Behind a port that is closed."""
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        done = run(
            kit_with_pip, PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=url, PIP_CONFIG_FILE=os.devnull
        )
    assert_refused(done)
    first, *between, last = done.stderr.splitlines()
    assert first.startswith("First use") and last.startswith("lab: the package registry cannot be reached")
    assert "|" not in done.stderr and len(between) <= 3, between


@pytest.mark.maintainers
def test_two_at_once(kit):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [bare_python(), "lab", "--no-system", "test"]
    both = [subprocess.Popen(command, cwd=kit, env=offline(kit), **pipes) for _ in range(2)]
    said = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("First use" in errors for _, errors in said) == 1
    assert {out for out, _ in said} == {f"{prefix(kit)} []\n"}


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(
    ("begun", "moment"),
    [
        pytest.param("kit", "  installing pip", marks=pytest.mark.maintainers),
        ("kit_with_pip", "  installing the packages"),
    ],
)
def test_killed_and_started_again(request, begun, moment):
    kit = request.getfixturevalue(begun)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [bare_python(), "lab", "--no-system", "test"]
    with subprocess.Popen(command, cwd=kit, env=offline(kit), **pipes) as process:
        assert any(line.startswith(moment) for line in process.stderr)
        process.kill()
    done = run(kit)
    assert done.returncode == 0 and done.stdout == f"{prefix(kit)} []\n", done.stderr


def test_help_needs_no_set_up(kit):
    for words in (["demo"], ["certs"], ["capture"], ["report"], ["notebooks"]):
        done = run(kit, "-I", "-S", "lab", *words, "--help")
        assert done.returncode == 0 and "usage:" in done.stdout, done.stderr
    assert not (kit / ".venv").exists()


def test_a_python_without_venv_gets_the_one_line_that_mends_it(monkeypatch, capsys, tmp_path):
    """As Debian splits Python: its venv module is there, ensurepip is not."""
    monkeypatch.setattr(first_use, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(first_use, "READY", tmp_path / ".venv" / "ready")
    monkeypatch.setattr(first_use, "missing_packages", lambda: ["everything"])
    real = system_packages.importlib.util.find_spec
    monkeypatch.setattr(
        system_packages.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "ensurepip" else real(name, *rest),
    )
    monkeypatch.setattr(
        first_use.shutil, "which", lambda program: "/usr/bin/apt-get" if program == "apt-get" else None
    )
    with pytest.raises(first_use.SetupError, match=r"sudo apt install python3\.\d+-venv"):
        first_use.ensure(system=False)


# --- what it must not destroy -----------------------------------------------------------------------------------------


def test_a_healthy_environment_is_used_whichever_python_starts_the_command(set_up_kit):
    done = run(set_up_kit, "-c", ANOTHER_PYTHON, "--no-system", "test", PIP_FIND_LINKS="")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout == f"{prefix(set_up_kit)} []\n" and is_untouched(set_up_kit)


def test_an_environment_made_by_hand_is_used_as_it_is(set_up_kit):
    (set_up_kit / ".venv" / "ready").unlink()
    done = run(set_up_kit, PIP_FIND_LINKS="")
    assert done.returncode == 0 and done.stderr == "" and is_untouched(set_up_kit)
    assert not (set_up_kit / ".venv" / "ready").exists()


def test_an_outdated_one_is_mended_in_place(set_up_kit):
    write_lock(set_up_kit, "2", digest_of(make_wheel(set_up_kit.parent, "2")))
    done = run(set_up_kit, "-c", ANOTHER_PYTHON, "--no-system", "test")
    assert done.returncode == 0 and "Mending .venv" in done.stderr, done.stderr
    assert is_untouched(set_up_kit) and list((set_up_kit / ".venv").rglob("lab_kit_tiny_package-2.dist-info"))
    assert run(set_up_kit, PIP_FIND_LINKS="").stderr == ""


@pytest.mark.maintainers
def test_a_new_lock_without_a_network_does_not_stop_a_complete_one(set_up_kit):
    write_lock(set_up_kit, "1", digest_of(make_wheel(set_up_kit.parent, "1")))
    with (set_up_kit / "lab" / "setup" / "requirements.lock").open("a") as lock:
        lock.write(f"lab-kit-other-package==1 --hash=sha256:{'0' * 64}\n")
    url = "http://127.0.0.1:9/simple"  # port 9, discard: nothing listens
    done = run(set_up_kit, PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=url, PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 0 and "Continuing with the packages that are there" in done.stderr, done.stderr
    assert is_untouched(set_up_kit)


@pytest.mark.maintainers
def test_what_was_half_installed_is_installed_again(set_up_kit):
    metadata = next((set_up_kit / ".venv").rglob("lab_kit_tiny_package-1.dist-info"))
    (metadata / "INSTALLER").unlink()
    shutil.rmtree(metadata.parent / "lab_kit_tiny_package")
    (set_up_kit / ".venv" / "ready").write_text(first_use.UNFINISHED)
    done = run(set_up_kit)
    assert done.returncode == 0 and "First use" in done.stderr, done.stderr
    assert (metadata.parent / "lab_kit_tiny_package" / "__init__.py").exists() and is_untouched(set_up_kit)


@pytest.mark.maintainers
def test_a_package_removed_by_hand_comes_back(set_up_kit):
    metadata = next((set_up_kit / ".venv").rglob("lab_kit_tiny_package-1.dist-info"))
    shutil.rmtree(metadata)
    done = run(set_up_kit)
    assert done.returncode == 0 and "Mending .venv" in done.stderr and is_untouched(set_up_kit), done.stderr


@pytest.mark.maintainers
def test_a_mended_environment_that_still_lacks_something_is_not_restarted_for_ever(set_up_kit):
    """A version with an epoch, which pip takes for later than 2 and the kit does not."""
    write_lock(set_up_kit, "1!0", digest_of(make_wheel(set_up_kit.parent, "1!0")))
    (set_up_kit / "requirements.txt").write_text("lab-kit-tiny-package>=2\n")
    done = run(set_up_kit)
    assert_refused(done)
    assert "still lacks" in done.stderr and is_untouched(set_up_kit)


@pytest.mark.skipif(os.name != "posix", reason="links to a Python")
def test_a_python_that_is_gone_is_replaced(set_up_kit):
    for link in (set_up_kit / ".venv" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/no/such/python")
    done = run(set_up_kit)
    assert done.returncode == 0 and "its Python no longer runs" in done.stderr, done.stderr
    assert done.stdout == f"{prefix(set_up_kit)} []\n" and is_untouched(set_up_kit)


@pytest.mark.skipif(os.name != "posix", reason="links to folders")
@pytest.mark.parametrize("is_environment", [False, True])
def test_nothing_behind_a_link_is_touched(kit, tmp_path, is_environment):
    target = tmp_path / "elsewhere"
    (target / "bin").mkdir(parents=True)
    (target / "thesis.txt").write_text("mine")
    if is_environment:
        (target / "pyvenv.cfg").write_text(f"home = {os.path.dirname(bare_python())}\n")
        (target / "bin" / "python").symlink_to(bare_python())
    before = sorted(target.rglob("*"))
    (kit / ".venv").symlink_to(target)
    done = run(kit)
    assert_refused(done)
    assert len(done.stderr.splitlines()) == 1 and "is a link to" in done.stderr
    assert sorted(target.rglob("*")) == before and (target / "thesis.txt").read_text() == "mine"
    assert ".venv is a link" in run(kit, "lab", "doctor").stdout


@pytest.mark.skipif(os.name != "posix", reason="links to folders")
def test_an_environment_behind_a_link_is_used(set_up_kit, tmp_path):
    (set_up_kit / ".venv").rename(tmp_path / "elsewhere")
    (set_up_kit / ".venv").symlink_to(tmp_path / "elsewhere")
    done = run(set_up_kit, PIP_FIND_LINKS="")
    assert done.returncode == 0 and done.stderr == "" and is_untouched(set_up_kit), done.stderr


def test_a_folder_that_is_not_an_environment_stays(kit):
    (kit / ".venv").mkdir()
    (kit / ".venv" / "thesis.txt").write_text("mine")
    done = run(kit)
    assert_refused(done)
    assert len(done.stderr.splitlines()) == 1 and "pyvenv.cfg" in done.stderr
    assert [path.name for path in (kit / ".venv").iterdir()] == ["thesis.txt"]


def test_a_file_in_its_place_stays(kit):
    (kit / ".venv").write_text("mine")
    assert_refused(run(kit))
    assert (kit / ".venv").read_text() == "mine"
