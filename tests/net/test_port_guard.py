"""What a guarded port takes."""

import pytest

from lab.net.lan import Lan
from lab.net.plan import host
from lab.net.port_guard import Station
from tests.support import FRAME_1193, needs_namespaces

SERVER, ITS_MAC = "10.27.27.131", "c6:fe:50:ad:ab:dc"
ARP = bytes.fromhex(
    "ffffffffffff c6fe50adabdc 0806 0001 0800 06 04 0001 c6fe50adabdc 0a1b1b83 000000000000 0a1b1bce"
)


@pytest.mark.parametrize("frame", [FRAME_1193, ARP, FRAME_1193[:12] + b"\x86\xdd" + bytes(40)])
def test_a_station_speaks_for_itself(frame):
    assert Station(ITS_MAC, [SERVER, "fd00::1"]).may_send(frame)


@pytest.mark.parametrize("at", [6, 26], ids=["source MAC", "source address"])
def test_a_packet_in_the_name_of_another_is_not_taken(at):
    assert not Station(ITS_MAC, [SERVER]).may_send(FRAME_1193[:at] + b"\xaa" + FRAME_1193[at + 1 :])


@pytest.mark.parametrize("at", [6, 22, 31], ids=["source MAC", "sender's MAC", "sender's address"])
def test_an_arp_message_in_the_name_of_another_is_not_taken(at):
    assert not Station(ITS_MAC, [SERVER]).may_send(ARP[:at] + b"\xaa" + ARP[at + 1 :])


@needs_namespaces
def test_a_guarded_lan_still_carries_what_is_honest():
    with Lan([host("A", "10.0.0.1/24", "fd00::1/64"), host("B", "10.0.0.2/24", "fd00::2/64")]) as lan:
        lan.guard()
        for address in ("10.0.0.2", "fd00::2"):
            with lan["B"].open_socket(10 if ":" in address else 2) as listener:
                listener.bind((address, 9898))
                listener.listen()
                with lan["A"].open_socket(10 if ":" in address else 2) as sock:
                    sock.settimeout(20)
                    sock.connect((address, 9898))


@needs_namespaces
def test_a_mirror_sees_what_others_say_to_each_other():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24"), host("C", "10.0.0.3/24")]) as lan:

        def sent_to_c() -> int:
            return lan.state()["ports"]["C"]["sent"]

        def talk() -> None:
            with lan["B"].open_socket() as listener, lan["A"].open_socket() as sock:
                listener.bind(("", 9898))
                listener.listen()
                sock.settimeout(20)
                sock.connect(("10.0.0.2", 9898))
            lan.settle()

        talk()
        before = sent_to_c()
        lan.mirror("C")
        talk()
        assert before <= 2 and sent_to_c() >= before + 3, (
            "a broadcast for ARP at most; then the handshake too"
        )
