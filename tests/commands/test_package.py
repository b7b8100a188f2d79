"""The client as one file: made, then started from another folder, where nothing else of the kit is."""

import importlib.util
import io
import os
import stat
import subprocess
import sys

import pytest

from lab.chat.client import ChatClient
from lab.chat.login import Login
from lab.chat.server import ChatServer
from lab.commands import certs, package
from tests.chat.programs import client_program, server_program
from tests.chat.rig import until
from tests.support import ROOT


@pytest.fixture
def server():
    with ChatServer("127.0.0.1", 0, console=lambda line: None) as server:
        yield server


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    assert package.main(["--out", str(folder), "--pyz-only"]) == 0
    return folder


def chat(command: list[str], port: int, folder) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*command, "--terminal", "--name", "Handed Out", "--port", str(port), "--wire", "json"],
        input="hello from one file\n", text=True, capture_output=True, cwd=folder, timeout=60,
    )  # fmt: skip


def test_the_pyz_runs_with_nothing_but_python(made, server, tmp_path):
    witness = ChatClient(Login("Witness", "127.0.0.1", server.port, wire="json")).connect()
    done = chat([sys.executable, "-I", "-S", str(made / "chat-client.pyz")], server.port, tmp_path)
    assert done.returncode == 0 and "<Handed Out> hello from one file" in done.stdout, done.stderr
    until(witness, lambda event: "hello from one file" in str(event))
    witness.leave()


def test_the_pyz_holds_the_client_alone(made):
    import zipfile

    names = zipfile.ZipFile(made / "chat-client.pyz").namelist()
    assert "lab/chat/client.py" in names and "__main__.py" in names
    assert not [name for name in names if "dissect" in name or "__pycache__" in name or "room/" in name]


@pytest.mark.maintainers
@pytest.mark.skipif(importlib.util.find_spec("PyInstaller") is None, reason="PyInstaller is not installed")
def test_the_program_runs_without_python(server, tmp_path, monkeypatch):
    assert package.main(["--out", str(tmp_path)]) == 0
    witness = ChatClient(Login("Witness", "127.0.0.1", server.port, wire="json")).connect()
    monkeypatch.setenv("PATH", "")
    program = tmp_path / ("chat-client.exe" if sys.platform == "win32" else "chat-client")
    done = chat([str(program)], server.port, tmp_path)
    assert done.returncode == 0 and "<Handed Out> hello from one file" in done.stdout, done.stderr
    until(witness, lambda event: "hello from one file" in str(event))
    witness.leave()


def test_without_pyinstaller_it_says_how_to_get_it_in_an_environment(tmp_path):
    command = [sys._base_executable, "-E", "-S", str(ROOT / "lab"), "package", "--out", str(tmp_path)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    making, getting, again = [line.strip() for line in done.stdout.splitlines()[-3:]]
    assert making.endswith(f"-m venv {tmp_path / 'environment'}") and getting.endswith(
        "-m pip install pyinstaller"
    )
    assert again.endswith(f"package --out {tmp_path}") and getting.split()[0] == again.split()[0]


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert package.main(["--out", str(tmp_path / "file" / "dist")]) == 2
    assert certs.main([str(tmp_path / "file" / "certs")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_certs_makes_what_server_and_client_need(tmp_path):
    assert certs.main([str(tmp_path / "certs")]) == 0
    files = {name: str(tmp_path / "certs" / name) for name in ("ca.pem", "server.pem", "server.key")}
    with server_program("--tls", "--cert", files["server.pem"], "--key", files["server.key"]) as (_, port):
        done = client_program(
            "--name", "B", "--port", str(port), "--tls", "--cafile", files["ca.pem"], script="hello\n"
        )
        assert done.returncode == 0 and "<B> hello" in done.stdout and "TLSv1.3" in done.stdout
        plain = client_program("--name", "B", "--port", str(port), script="hello\n")
        assert plain.returncode == 2 and "TLS only" in plain.stdout


def test_certs_asks_before_it_replaces_an_authority(tmp_path, capsys, monkeypatch):
    assert certs.main([str(tmp_path)]) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for answer in ("", "n\n", "yes and no\n"):  # "": nobody to ask
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert certs.main([str(tmp_path)]) == 2
        assert capsys.readouterr().err.strip().splitlines()[-1].endswith("or add --replace")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "ca.pem").unlink()  # a part of it is still one
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert certs.main([str(tmp_path)]) == 2 and not (tmp_path / "ca.pem").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert certs.main([str(tmp_path)]) == 0
    assert not before.items() & {path.name: path.read_bytes() for path in tmp_path.iterdir()}.items()
    assert certs.main([str(tmp_path), "--replace"]) == 0


@pytest.mark.skipif(os.name != "posix", reason="Windows wants rights for a link")
def test_certs_follows_no_links(tmp_path, capsys):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "certs"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("precious")
    folder.mkdir()
    for name, target in (("ca.pem", "precious"), ("server.pem", "not there"), ("server.key", "precious")):
        (folder / name).symlink_to(elsewhere / target)
    assert certs.main([str(folder), "--replace"]) == 0
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    assert (elsewhere / "precious").read_text() == "precious"
    assert sorted(path.name for path in folder.iterdir() if not path.is_symlink()) == [
        "ca.pem",
        "server.key",
        "server.pem",
    ]
    assert stat.S_IMODE((folder / "server.key").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(elsewhere)
    assert certs.main([str(tmp_path / "link")]) == 2
    assert "is a link" in capsys.readouterr().err and len(list(elsewhere.iterdir())) == 1


def test_certs_for_another_host(tmp_path):
    assert certs.main([str(tmp_path), "--name", "chat.example", "--name", "192.0.2.7"]) == 0
    with server_program("--cert", str(tmp_path / "server.pem"), "--key", str(tmp_path / "server.key")) as (
        _,
        port,
    ):
        me = ["--name", "B", "--port", str(port), "--tls", "--cafile", str(tmp_path / "ca.pem")]
        done = client_program(*me, script="hello\n")
        assert done.returncode == 2 and "mismatch" in done.stderr
