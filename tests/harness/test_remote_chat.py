"""A server of the chat as a process of its own."""

import signal

import pytest

from lab.chat.listener import ServerError
from lab.explorer.live.room import LoopbackHost
from lab.harness import remote_chat


def test_a_server_that_never_listens_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(remote_chat, "START_S", 0.1)
    (tmp_path / "silent.py").write_text("import threading; threading.Event().wait()")
    with pytest.raises(ServerError, match="neither listened within 0.1 s nor said why"):
        with remote_chat.remote_server(LoopbackHost(), 0, print, str(tmp_path / "silent.py")):
            pass


class Interrupted(BaseException):
    """What pytest raises in the middle of a test that takes too long."""


def test_an_interruption_while_a_server_ends_kills_it(tmp_path):
    """Closing the console once waited for the thread that read it, and that for the server, which nobody ended."""
    program = tmp_path / "stubborn.py"
    program.write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: os.kill(os.getppid(), signal.SIGUSR1))\n"
        "print('Listening on a port', flush=True)\n"
        "until = time.monotonic() + 10\n"
        "while time.monotonic() < until: time.sleep(until - time.monotonic())\n"
    )

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted):
            with remote_chat.remote_server(LoopbackHost(), 0, print, str(program)) as server:
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert server.returncode == -signal.SIGKILL
