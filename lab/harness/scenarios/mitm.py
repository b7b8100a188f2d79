"""Mallory takes the server's place with false ARP, and opens TLS with a certificate of her own.

A client that checks certificates says what is wrong with hers, and sends nothing. One that accepts any
certificate says all to her; she passes it on, and neither end notices. TLS 1.2, so that the certificates are
in the recording.
"""

import tempfile
from pathlib import Path

from lab.harness.attack_lan import in_the_servers_place, recorded_attack
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.impostor import SECRET, careless_client, identities, meet
from lab.harness.tls_contexts import SERVER_NAME


@scenario(notebook="10")
def mitm(path: Path) -> Truth:
    """Mallory opens TLS in the server's place: a client that checks refuses, one that does not says all; at PC 1."""
    meetings = []

    def note(which: str, is_checked: bool, refusal: str | None, heard: dict[str, str]) -> None:
        meetings.append({"certificate": which, "checked": is_checked, "refusal": refusal, "heard": heard})

    with (
        tempfile.TemporaryDirectory() as folder,
        recorded_attack(path, "PC1", "server", "switch") as (lan, mallory, truth),
    ):
        contexts, careful = identities(Path(folder), "mallory.lab.test")
        brandon, her, server = lan["PC1"], lan["Mallory"], lan["server"]
        with in_the_servers_place(lan, mallory, brandon):
            for which in ("wrong authority", "wrong name"):
                refusal, read = meet(brandon, careful, her, contexts[which], server.address)
                note(which, True, refusal, {"Mallory": read})
            false = contexts["wrong authority"]
            refusal, read = meet(brandon, careless_client(), her, false, server.address)
            # She says it in her turn.
            _, heard = meet(her, careful, server, contexts["right"], server.addresses[1])
            note("wrong authority", False, refusal, {"Mallory": read, "server": heard})
        refusal, heard = meet(brandon, careful, server, contexts["right"])
        note("right", True, refusal, {"server": heard})
    return truth | {"server_name": SERVER_NAME, "secret": SECRET, "meetings": meetings}
