"""A third machine sends RSTs in a client's name: with the right sequence number, and with guessed ones."""

import socket
from pathlib import Path

from lab.harness.bare_socket import WAIT_S, BareSocket, BareSocketError
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host

ETH_P_IP = 0x0800
OUTSIDE, INSIDE = -1000, 1000  # how far guesses are from the next number: on either side of the window's edge


@scenario(notebook="02")
def blind_rst(path: Path) -> Truth:
    """PC 2 sends RSTs in PC 1's name, one with the right number and two with guessed ones, at the server."""
    with (
        lesson_lan(path, "server") as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as client,
        _card(lan["server"]) as wire,
        _card(lan["PC2"]) as forger,
    ):
        server.listen(REPORT_PORT)
        for offsets in ((0,), (OUTSIDE, INSIDE)):
            client.connect(lan["server"].address, REPORT_PORT)
            server.accept()
            client.say(b"hello")
            server.hear(until=b"hello")
            while not (hello := wire.recv(2048)).endswith(b"hello"):
                pass
            for offset in offsets:
                forged = false_rst(hello, str(lan["PC2"].interfaces["eth0"]), offset)
                forger.send(forged)
                lan.settle()
            if 0 in offsets:
                _expect_reset(server)
                client.leave()
                lan.settle()
        client.say(b"still here")
        server.hear(until=b"still here")
        client.leave()
        server.hear_to_the_end()
        server.leave()
    return {"place": "server", "forger": "PC2", "offsets": [0, OUTSIDE, INSIDE], "cable_s": CABLE_S}


def false_rst(segment: bytes, mac: str, offset: int) -> bytes:
    """Return a RST in the name of a segment's sender, ``offset`` away from the number that its receiver expects next."""
    from scapy.layers.inet import IP, TCP  # not with the other scenarios: it takes a second
    from scapy.layers.l2 import Ether

    seen = Ether(segment)
    number = (seen[TCP].seq + len(seen[TCP].payload) + offset) % 2**32
    ip = IP(src=seen[IP].src, dst=seen[IP].dst)
    rst = TCP(sport=seen.sport, dport=seen.dport, flags="R", seq=number, window=0)
    return bytes(Ether(src=mac, dst=seen.dst) / ip / rst)


def _card(host: Host) -> socket.socket:
    """Return a socket for whole frames, out of the host's card and into it."""
    card = host.open_socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    card.bind(("eth0", ETH_P_IP))
    card.settimeout(WAIT_S)
    return card


def _expect_reset(server: BareSocket) -> None:
    try:
        server.hear_to_the_end()
    except BareSocketError:
        return  # connection reset by peer
    raise RecordingError("the server has not taken the false RST")
