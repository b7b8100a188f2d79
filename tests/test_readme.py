"""Every command in the README is run, as it stands there. A command that no test knows how to run fails."""

import os
import re
import signal
import subprocess
import urllib.request

import pytest

from tests.support import COMMANDS, README, ROOT, as_typed, copy_kit, needs_namespaces

[PROGRAM] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SERVES = ("lab/server.py", "lab notebooks", "lab live")  # run until they are told to end
# Other tests try these, in the ordinary run.
ELSEWHERE = ("python3 lab demo", "python3 lab package", "python3 lab report")
MY_LAN = "my_lan"  # in the commands of the program


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A clean copy of the kit, in which the commands may leave what they make."""
    return copy_kit(tmp_path_factory.mktemp("readme"))


def test_the_readme_begins_with_its_two_commands():
    assert COMMANDS[:2] == ["python3 lab demo", "python3 lab test"]


def test_ci_runs_the_readmes_test_command():
    assert "python3 lab test" in (ROOT / ".ci" / "run").read_text()


def test_every_file_that_the_texts_show_is_there():
    texts = [ROOT / "README.md", *ROOT.glob("captures/*.md"), *ROOT.glob("lab/**/*.md")]
    assert ROOT / "lab" / "instructor" / "ANSWERS.md" in texts
    broken = [
        f"{text.relative_to(ROOT)}: {target}"
        for text in texts
        for target in re.findall(r"\]\(([^)#]+)\)", text.read_text(encoding="utf-8"))
        if "://" not in target and not (text.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.maintainers if command.startswith(ELSEWHERE) else ())
        for command in COMMANDS
        if not any(word in command for word in (*SERVES, "lab/client.py", MY_LAN))
    ],
)
def test_a_command_that_ends(command, copy):
    words = as_typed(command)
    if words[1:] == ["lab", "test"]:  # these very tests: enough that pytest finds some
        words += ["--collect-only", "-q", "tests/test_readme.py"]
    done = subprocess.run(words, cwd=copy, capture_output=True, text=True, timeout=100, input="y\n")
    assert done.returncode == 0 or (words[1:] == ["lab", "doctor"] and done.returncode == 1), done.stderr
    assert "Traceback" not in done.stderr


@needs_namespaces
def test_the_lecture_is_held_until_it_is_ended(copy):
    [command] = [command for command in COMMANDS if "lab live" in command]
    pipes, environment = (
        {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        os.environ | {"BROWSER": "echo opened %s"},
    )
    lecture = subprocess.Popen(as_typed(command), cwd=copy, text=True, env=environment, **pipes)
    address = next(line.strip() for line in lecture.stdout if line.startswith("http://127.0.0.1:"))
    assert b"who reads along?" in urllib.request.urlopen(address, timeout=60).read()
    lecture.send_signal(signal.SIGINT)
    with lecture:  # not communicate, which leaves out what was read ahead of the address
        output, errors = lecture.stdout.read(), lecture.stderr.read()
    assert (lecture.returncode, errors) == (0, "") and f"opened {address}" in output
    assert (copy / "captures" / "mine" / "live" / "manifest.json").exists()


@needs_namespaces
def test_the_lan_of_your_own_loses_a_segment_and_shows_it_again(copy):
    (copy / "my_lan.py").write_text(PROGRAM, encoding="utf-8")
    printed = []
    for command in (command for command in COMMANDS if MY_LAN in command):
        done = subprocess.run(as_typed(command), cwd=copy, capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stderr) == (0, "")
        printed.append(done.stdout)
    chat, dissected = printed
    assert "<Brandon> hello" in chat
    frames = int(re.match(r"my_lan.pcapng: (\d+) frames", dissected)[1])
    assert frames > 10
    info = " ".join(dissected.split())  # the lines are wrapped
    assert re.search(r"\[TCP Retransmission\] \d+ → 9898 \[PSH, ACK\] Seq=47 Ack=51 Win=\d+ Len=5\b", info)


def test_the_stated_hours_are_those_of_the_notebooks_and_the_sheets():
    stated = re.search(
        r"about (\S+) hours: (\S+) for the eleven notebooks, (\S+) for the exercises, (\S+) for", README
    )
    whole, *parts = map(float, stated.groups())
    notebooks = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    sheets = [path.read_text(encoding="utf-8") for path in (ROOT / "lab" / "exercises").glob("sheet_*.py")]
    minutes = [
        sum(int(re.search(r"\*About (\d+) minutes", text)[1]) for text in notebooks),
        sum(int(found) for text in sheets for found in re.findall(r"Time: (\d+) minutes", text)),
    ]
    assert len(notebooks) == 11 and sum(parts) == whole
    assert [round(2 * one / 60) / 2 for one in minutes] == parts[:2]


@pytest.fixture
def server(copy, request):
    """The README's server, plain or TLS, on a port of its own."""
    [command] = [c for c in COMMANDS if "lab/server.py" in c and ("--tls" in c) == request.param]
    if request.param:
        [make] = [c for c in COMMANDS if "lab certs" in c]
        subprocess.run(as_typed(make), cwd=copy, check=True, capture_output=True, timeout=60, input=b"y\n")
    process = subprocess.Popen(
        [*as_typed(command), "--port", "0"],
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout.readline().strip() == "Allowing Connections..."
    port = re.search(r"port (\d+)", process.stdout.readline())[1]
    yield port, request.param
    process.send_signal(signal.SIGTERM)
    assert "Close Connections..." in process.communicate(timeout=30)[0]
    assert process.returncode == 0


@pytest.mark.parametrize("server", [False, True], ids=["plaintext", "TLS"], indirect=True)
def test_the_server_and_its_clients(server, copy):
    port, tls = server
    for command in [c for c in COMMANDS if "lab/client.py" in c and ("--tls" in c) == tls]:
        words = [*as_typed(command), "--port", port]
        if "--terminal" not in command:
            words += ["--terminal", "--name", "Brandon"]  # the windows have tests of their own
        done = subprocess.run(words, cwd=copy, input="hello\n", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "> hello" in done.stdout
