"""Mallory takes the server's place with false ARP, and opens TLS with a certificate of her own.

A client that checks certificates says what is wrong with hers, and sends nothing. One that accepts any
certificate says all to her; she passes it on, and neither end notices. TLS 1.2, so that the certificates are
in the recording.
"""

import tempfile
from pathlib import Path

from lab.chat import tls
from lab.harness.attack_lan import in_the_servers_place, recorded_attack
from lab.harness.certificates import issue
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.impostor import SECRET, VERSION, meet
from lab.harness.tls_contexts import SERVER_NAME

CERTIFICATES = {"wrong authority": SERVER_NAME, "wrong name": "mallory.lab.test", "right": SERVER_NAME}


@scenario(notebook="10")
def mitm(path: Path) -> Truth:
    """Mallory opens TLS in the server's place: a client that checks refuses, one that does not says all; at PC 1."""
    meetings = []
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded_attack(path, "PC1", "server", "switch") as (lan, mallory, truth),
    ):
        made = {which: issue(Path(folder) / which, [name]) for which, name in CERTIFICATES.items()}
        contexts = {name: tls.server_context(one.certificate, one.key, VERSION) for name, one in made.items()}
        # The server's authority, and one that knows Mallory by her own name.
        trusted = Path(folder) / "trusted.pem"
        trusted.write_text(made["wrong name"].ca.read_text() + made["right"].ca.read_text())
        brandon, her, server = lan["PC1"], lan["Mallory"], lan["server"]

        def note(which: str, is_checked: bool, refusal: str | None, heard: dict[str, str]) -> None:
            meetings.append({"certificate": which, "checked": is_checked, "refusal": refusal, "heard": heard})

        with in_the_servers_place(lan, mallory, brandon):
            for which in ("wrong authority", "wrong name"):
                refusal, read = meet(brandon, trusted, her, contexts[which], server.address)
                note(which, True, refusal, {"Mallory": read})
            refusal, read = meet(brandon, None, her, contexts["wrong authority"], server.address)
            # She says it in her turn.
            _, heard = meet(her, trusted, server, contexts["right"], server.addresses[1])
            note("wrong authority", False, refusal, {"Mallory": read, "server": heard})
        refusal, heard = meet(brandon, trusted, server, contexts["right"])
        note("right", True, refusal, {"server": heard})
    return truth | {"server_name": SERVER_NAME, "secret": SECRET, "meetings": meetings}
