"""A side that has said everything goes on listening, and later answers for a program that has ended."""

from pathlib import Path

from lab.harness.lesson_lan import CABLE_S, connection, lesson_lan
from lab.harness.scenarios import Truth, scenario

ORDER = "drop the ACK from PC1"


@scenario(notebook="02")
def half_close(path: Path) -> Truth:
    """A client that closes first, hears on, and whose last ACK is lost, at the client."""
    with lesson_lan(path, "PC1") as lan, connection(lan) as (server, client):
        client.say(b"that is all")
        client.half_close()
        server.hear_to_the_end()
        lan.settle()
        server.say(b"not from me", to=client)
        lan.settle()
        lan.order(ORDER)  # the ACK of the server's FIN
        client.leave()  # its FIN was sent long ago; from now on only its system answers
        server.leave(wait=True)
    return {"place": "PC1", "said": ["that is all", "not from me"], "orders": [ORDER], "cable_s": CABLE_S}
