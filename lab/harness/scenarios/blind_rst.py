"""A third machine sends RSTs in a client's name: with the right sequence number, and with guessed ones."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket, BareSocketError
from lab.harness.forging import RST, Forger, segment
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError

OUTSIDE, INSIDE = -1000, 1000  # how far guesses are from the next number: on either side of the window's edge


@scenario(notebook="02")
def blind_rst(path: Path) -> Truth:
    """PC 2 sends RSTs in PC 1's name, one with the right number and two with guessed ones, at the server."""
    with (
        lesson_lan(path, "server") as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as client,
        Forger(lan["server"]) as wire,  # only to see what reaches the server
        Forger(lan["PC2"]) as forger,
    ):
        server.listen()
        for offsets in ((0,), (OUTSIDE, INSIDE)):
            client.connect(lan["server"].address)
            server.accept()
            client.say(b"hello", to=server)
            hello = wire.see(lambda seen: seen.payload == b"hello")
            for offset in offsets:
                number = hello.next_seq + offset
                forger.send(segment(forger.mac, hello.source[1:], hello.destination, seq=number, flags=RST))
                lan.settle()
            if 0 in offsets:
                _expect_reset(server)
                client.leave()
                lan.settle()
        client.say(b"still here", to=server)
        client.leave()
        server.hear_to_the_end()
        server.leave()
    return {"place": "server", "forger": "PC2", "offsets": [0, OUTSIDE, INSIDE], "cable_s": CABLE_S}


def _expect_reset(server: BareSocket) -> None:
    try:
        server.hear_to_the_end()
    except BareSocketError:
        return  # connection reset by peer
    raise RecordingError("the server has not taken the false RST")
