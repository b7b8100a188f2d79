"""A side that has said everything goes on listening, and later answers for a program that has ended."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.variant import REPORT_PORT

ORDER = "drop the ACK from PC1"


@scenario(notebook="02")
def half_close(path: Path) -> Entry:
    """A client that closes first, hears on, and whose last ACK is lost, at the client."""
    with (
        lesson_lan(path, "PC1") as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as client,
    ):
        server.listen(REPORT_PORT)
        client.connect(lan["server"].address, REPORT_PORT)
        server.accept()
        client.say(b"that is all")
        client.half_close()
        server.hear_to_the_end()
        lan.settle()
        server.say(b"not from me")
        client.hear(until=b"not from me")
        lan.settle()
        lan.order(ORDER)  # the ACK of the server's FIN
        client.leave()  # its FIN was sent long ago; from now on only its system answers
        server.leave(wait=True)
    return {"place": "PC1", "said": ["that is all", "not from me"], "orders": [ORDER], "cable_s": CABLE_S}
