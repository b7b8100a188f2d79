"""The way into a running room, with visitors who say nothing and a room that does not answer."""

import os
import socket
import sys
import threading

import pytest

from lab.commands import room
from lab.net import attach
from lab.net.lan import Lan
from lab.net.plan import LanError, host
from tests.support import needs_namespaces

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


@pytest.fixture(autouse=True)
def address(monkeypatch, tmp_path):
    """An attach point of this test's own: tests beside it have rooms too."""
    monkeypatch.setattr(attach, "socket_name", lambda: f"\0lab-test-{tmp_path}")
    return attach.socket_name()


def visitor(address: str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect(address)
    return one


@needs_namespaces
def test_silent_visitors_keep_nobody_waiting(address):
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan, attach.AttachPoint(lan) as way_in:
        assert way_in.open
        silent = [visitor(address) for _ in range(64)]
        about, descriptors = attach.attach_to("A")
        assert about["name"] == "A" and about["addresses"] == lan["A"].addresses
        with pytest.raises(LanError, match="C"):
            attach.attach_to("C")
        for one in (*descriptors, *(one.detach() for one in silent)):
            os.close(one)


@pytest.mark.parametrize("silent", [0, 64])
def test_a_room_that_does_not_answer_is_one_line(address, monkeypatch, capsys, silent):
    monkeypatch.setattr(attach, "ANSWER_S", 0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stuck:
        stuck.bind(address)
        stuck.listen(silent and 63)  # 64 fill its queue
        visitors = [visitor(address) for _ in range(silent)]
        assert room.main(["--shell", "PC1"]) == 2
        for one in visitors:
            one.close()
    printed = capsys.readouterr()
    assert printed.err == f"lab room: {attach.NO_ANSWER}\n" and printed.out == ""


def test_a_room_that_hangs_up_is_one_line(address, capsys):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.bind(address)
        rude.listen()
        threading.Thread(target=lambda: rude.accept()[0].close(), daemon=True).start()
        assert room.main(["--shell", "PC1"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
