"""The two programs as a person starts them: by path, by ``-m``, from another folder, ended by a signal."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.connection import shut_down
from lab.chat.login import Login
from lab.chat.options import print_line
from tests.chat.programs import BY_PATH, client_program, server_program
from tests.chat.rig import say, until
from tests.support import ROOT


@pytest.mark.parametrize("start", BY_PATH.values(), ids=BY_PATH)
def test_a_scripted_conversation(start):
    with server_program(start=start) as (process, port):
        done = client_program("--name", "Brandon", "--port", str(port), script="hello\nä €\n", start=start)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].startswith("Connected as Brandon from ") and "plaintext" in lines[0]
        assert lines[1].startswith("Ctrl-D or Ctrl-C leaves; /quit, /msg and the like go to everyone")
        assert lines[2:] == [
            "*** Brandon Connected ***",
            "Users: Brandon",
            "<Brandon> hello",
            "<Brandon> ä €",
        ]
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.CTRL_BREAK_EVENT)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0 and errors == ""
        assert output.splitlines()[-1] == "Close Connections..."
        assert "*** Brandon Connected" in output and "*** <Brandon>" in output


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_in_order(number):
    with server_program() as (process, port):
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(b"Brandon")
            assert "Brandon" in next(
                line for line in process.stdout if line.startswith("*** Brandon Connected")
            )
            process.send_signal(number)
            output, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")
            assert "Close Connections..." in output
            assert b"Closed" in peer.recv(1024)


@pytest.mark.parametrize("program", ["server", "client"])
def test_a_reader_who_leaves_is_no_traceback(program):
    """``lab/server.py | head -1``."""
    with server_program() as (process, port):
        if program == "server":
            process.stdout.close()
            with socket.create_connection(("127.0.0.1", port), 10) as peer:
                peer.sendall(b"Brandon")
            with socket.create_connection(("127.0.0.1", port), 10) as peer:
                peer.sendall(b"!Exit")
                assert b"Refused" in peer.recv(1024)
            return
        command = f"{sys.executable} {ROOT}/lab/client.py --terminal --name B --port {port} | head -1"
        script = "".join(f"line {i}\n" for i in range(50))
        done = subprocess.run(command, shell=True, input=script, text=True, capture_output=True, timeout=60)
        assert done.stdout.startswith("Connected") and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "program, arguments, says",
    [
        (
            "server",
            ["--port", "{busy}"],
            "is taken (another server may still be running): try another --port",
        ),
        ("server", ["--host", "203.0.113.1", "--port", "0"], "cannot listen"),
        ("server", ["--host", "no.such.host.invalid"], "cannot listen"),
        ("server", ["--port", "70000"], "port"),
        ("server", ["--tls", "--cert", "missing.pem", "--key", "missing.pem"], "certificate"),
        ("client", ["--name", "B", "--port", "{free}"], "No server answers"),
        ("client", ["--name", "B", "--host", "no.such.host.invalid"], "No host"),
        ("client", ["--name", "!Exit", "--port", "{busy}"], "name cannot be used"),
        ("client", ["--name", "B", "--tls", "--cafile", "missing.pem"], "CA file"),
    ],
)
def test_trouble_is_exit_code_2_and_one_line(program, arguments, says):
    with socket.create_server(("127.0.0.1", 0)) as busy, socket.create_server(("127.0.0.1", 0)) as free:
        ports = {"busy": busy.getsockname()[1], "free": free.getsockname()[1]}
        free.close()
        command = [sys.executable, str(ROOT / "lab" / f"{program}.py")]
        command += ["--terminal"] * (program == "client")
        command += [argument.format(**ports) for argument in arguments]
        done = subprocess.run(command, input="", text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr


@pytest.mark.parametrize(
    "program, arguments, says",
    [
        ("server", ["--tls"], "--cert"),
        ("server", ["--cert", "a.pem"], "--key"),
        ("server", ["--tls-version", "1.2"], "--cert"),
        ("server", ["--add-account", "B"], "--accounts"),
        ("client", ["--terminal", "--name", "B", "--password-file", "x"], "--wire json"),
        ("client", ["--terminal"], "--name"),
        ("client", ["--terminal", "--name", "B", "--cafile", "ca.pem"], "--tls"),
        ("client", ["--port", "ninety"], "--port"),
    ],
)
def test_options_that_do_not_go_together(program, arguments, says):
    command = [sys.executable, str(ROOT / "lab" / f"{program}.py"), *arguments]
    done = subprocess.run(command, input="", text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and says in done.stderr.splitlines()[-1]


def test_the_server_going_away_ends_the_terminal_client_at_once():
    """Also while it waits at its standard input, which nobody can interrupt."""
    with server_program() as (process, port):
        command = [
            sys.executable,
            str(ROOT / "lab" / "client.py"),
            "--terminal",
            "--name",
            "B",
            "--port",
            str(port),
        ]
        client = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            for line in client.stdout:
                if line.startswith("Users"):
                    break
            process.terminate()
            _, errors = wait_for_end(client)
            assert client.returncode == 2
            assert len(errors.splitlines()) == 1 and "lost" in errors
        finally:
            client.kill()
            client.wait()


def wait_for_end(client: subprocess.Popen) -> tuple[str, str]:
    """Like communicate, but with its standard input left open."""
    client.wait(timeout=30)
    return client.stdout.read(), client.stderr.read()


class TestInputAndOutputThatAreNoText:
    """A terminal's encoding, a byte that is no character, a closed standard input: none of it hangs or ends the chat."""

    def chat(self, port: int, name: str = "U", **options) -> subprocess.CompletedProcess:
        command = [
            sys.executable,
            str(ROOT / "lab" / "client.py"),
            "--terminal",
            "--name",
            name,
            "--port",
            str(port),
        ]
        return subprocess.run(command, capture_output=True, timeout=60, **options)

    def test_a_byte_that_is_no_character(self, serve):
        done = self.chat(
            serve().port,
            input=b"ok\n\xff bad\nmore\n",
            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        )
        assert done.returncode == 0 and b"more" in done.stdout and b"Traceback" not in done.stderr

    def test_no_standard_input(self, serve):
        done = self.chat(serve().port, preexec_fn=lambda: os.close(0))
        assert done.returncode == 0 and b"Traceback" not in done.stderr

    def test_letters_that_the_terminal_does_not_have(self, serve):
        narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = self.chat(serve().port, "日本", input="☕\n".encode(), env=narrow)
        assert done.returncode == 0 and b"Traceback" not in done.stderr and b"\\u65e5" in done.stdout

    def test_exit_typed_is_no_lost_connection(self, serve):
        done = self.chat(serve().port, input=b"!Exit\n")
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_server_of_twenty_lines_serves_both_wires(tmp_path):
    """The one in lab/chat/README.md, as it stands there but for its port."""
    page = (ROOT / "lab" / "chat" / "README.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    program = tmp_path / "server.py"
    tell_port = "print(listener.getsockname()[1], flush=True)\n    while True:"
    program.write_text(code.replace(", 9898)", ", 0)").replace("while True:", tell_port))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            port = int(server.stdout.readline())
            alice = ChatClient(Login("Alice", "127.0.0.1", port, wire="json")).connect()
            brandon = ChatClient(Login("Brandon", "127.0.0.1", port)).connect()
            say(brandon, "hello")
            assert until(alice, events.Said)[-1] == events.Said("Brandon", "hello")
            say(alice, "hi")
            assert until(brandon, events.Said("Alice", "hi"))
            for client in (alice, brandon):
                shut_down(client.connection.socket)
        finally:
            server.kill()


def test_lines_of_several_threads_stay_whole(tmp_path):
    """As the server's console prints them: ``python -u`` hands each write to the system at once."""
    lines = [letter * 30 for letter in "abcd"]
    with open(tmp_path / "console", "wb", buffering=0) as file:
        output = io.TextIOWrapper(file, write_through=True)
        threads = [
            threading.Thread(target=lambda line=line: [print_line(line, output) for _ in range(500)])
            for line in lines
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        output.flush()
        printed = (tmp_path / "console").read_text("utf-8").splitlines()
    assert sorted(printed) == sorted(500 * lines)
