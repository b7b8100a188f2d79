"""The switch's learning and forwarding, with ports that only remember what they were given."""

import socket

import pytest

from lab.net import switch as switch_module
from lab.net.cable import CableDirection
from lab.net.host_agent import Channel
from lab.net.switch import AGEING_S, MacTable, Switch, main

BROADCAST = b"\xff" * 6
A, B, C = (bytes([2, 0, 0, 0, 0, last]) for last in (1, 2, 3))


class FakePort:
    def __init__(self, name: str):
        self.name = name
        self.active: dict[str, CableDirection | None] = {"from": None, "to": None}
        self.frames: list[bytes] = []

    def send(self, frame):
        self.frames.append(bytes(frame))


@pytest.fixture
def wired():
    ports = [FakePort(name) for name in "ABC"]
    switch = Switch(ports, Channel(socket.socket()))

    def pass_on(port: int, source: bytes, destination: bytes, now: float = 0.0) -> list[str]:
        """Let a frame in at a port; gives the names of the ports that it left by."""
        for one in ports:
            one.frames.clear()
        frame = destination + source + b"\x88\xb5" + b"payload"
        switch.forward(memoryview(frame), ports[port], now)
        assert all(one.frames in ([], [frame]) for one in ports), (
            "a switch changes nothing and doubles nothing"
        )
        return [one.name for one in ports if one.frames]

    return pass_on


def test_unknown_stations_are_flooded_and_known_ones_are_not(wired):
    assert wired(0, A, B) == ["B", "C"]
    assert wired(1, B, A) == ["A"]
    assert wired(0, A, B) == ["B"]


def test_broadcast_and_multicast_go_everywhere_but_back(wired):
    assert wired(0, A, BROADCAST) == ["B", "C"]
    assert wired(2, C, b"\x33\x33\x00\x00\x00\x01") == ["A", "B"]


def test_a_frame_for_a_station_on_its_own_port_goes_nowhere(wired):
    wired(0, A, BROADCAST)
    assert wired(0, B, A) == []


def test_a_station_that_moves_is_found_again_at_once(wired):
    wired(0, A, BROADCAST)
    wired(2, A, BROADCAST)
    assert wired(1, B, A) == ["C"]


def test_a_group_address_is_never_learned(wired):
    wired(0, BROADCAST, B)
    assert wired(1, B, BROADCAST) == ["A", "C"]


def test_a_silent_station_is_forgotten(wired):
    wired(0, A, BROADCAST, now=0.0)
    assert wired(1, B, A, now=AGEING_S - 1) == ["A"]
    assert wired(1, B, A, now=AGEING_S) == ["A", "C"]


def test_a_full_table_floods_and_keeps_what_it_knows(monkeypatch):
    monkeypatch.setattr(switch_module, "TABLE_LIMIT", 2)
    table, port = MacTable(), FakePort("A")
    for address in (A, B, C):
        table.learn(address, port, 0.0)
    assert [table.find(address, 1.0) for address in (A, B, C)] == [port, port, None]
    table.learn(A, port, 200.0)
    assert table.find(A, 400.0) is port


def test_without_an_interface_it_ends_with_one_line(capsys):
    if not hasattr(socket, "AF_PACKET"):
        pytest.skip("raw frames exist on Linux only")
    for name in ("nothere1", "nothere0"):
        control, theirs = socket.socketpair()
        with theirs:
            assert main([str(control.detach()), name]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("the switch cannot start: ") for line in errors)
