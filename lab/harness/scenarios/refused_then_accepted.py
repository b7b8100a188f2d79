"""A connection that is refused, and then accepted from the same port."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket, BareSocketError
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError

SOURCE_PORT = 50_000  # of both attempts


@scenario(notebook="02")
def refused_then_accepted(path: Path) -> Truth:
    """A client that was there before its server, and tried again, at the client."""
    with (
        lesson_lan(path, "PC1") as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as client,
    ):
        address = lan["server"].address
        try:
            client.connect(address, source_port=SOURCE_PORT)
        except BareSocketError:
            pass  # refused
        else:
            raise RecordingError("something was listening already")
        lan.settle()
        server.listen()
        client.connect(address, source_port=SOURCE_PORT)
        server.accept()
        client.say(b"hello", to=server)
        server.say(b"welcome", to=client)
        lan.settle()
        client.leave()
        server.hear_to_the_end()
        server.leave()
    return {"place": "PC1", "source_port": SOURCE_PORT, "said": ["hello", "welcome"], "cable_s": CABLE_S}
