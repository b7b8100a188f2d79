"""A server of the chat as a process of its own."""

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
