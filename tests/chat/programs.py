"""The server and the client as processes of their own, started in each way that a person starts them."""

import contextlib
import re
import subprocess
import sys

import pytest

from tests.support import ROOT

BY_PATH = {
    "by path": lambda name: ([sys.executable, str(ROOT / "lab" / f"{name}.py")], "/"),
    "by module": lambda name: ([sys.executable, "-m", f"lab.{name}"], ROOT),
    "from lab": lambda name: ([sys.executable, f"{name}.py"], ROOT / "lab"),
}


@contextlib.contextmanager
def server_program(*arguments: str, start=BY_PATH["by path"]):
    """The server as a process of its own; yields it and the port it took."""
    command, folder = start("server")
    process = subprocess.Popen(
        [*command, "--port", "0", *arguments],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )  # fmt: skip
    try:
        seen = []
        for line in process.stdout:
            seen.append(line)
            if match := re.search(r"Listening on .* port (\d+)", line):
                process.seen = seen
                yield process, int(match[1])
                break
        else:
            pytest.fail(f"the server never listened: {seen} {process.stderr.read()}")
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def client_program(*arguments: str, script: str = "", start=BY_PATH["by path"]):
    command, folder = start("client")
    return subprocess.run(
        [*command, "--terminal", *arguments],
        input=script, cwd=folder, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
