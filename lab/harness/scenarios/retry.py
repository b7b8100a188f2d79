"""Two TLS handshakes over a long cable: the second client has to say hello twice."""

from contextlib import ExitStack
from pathlib import Path

from lab.harness.lesson_lan import lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.impostor import meet
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.variant import Variant

CABLE_S = 0.025  # one way


@scenario(notebook="08")
def retry(path: Path) -> Truth:
    """Two clients with a hybrid key share, one of which is asked for another group, at the client: 50 ms a round trip."""
    with lesson_lan(path, "PC1") as lan, ExitStack() as stack:
        lan.condition("PC1", delay_s=CABLE_S)
        for retried in (False, True):
            server, client = contexts(stack, Variant("1.3", groups="X25519MLKEM768", retry=retried))
            meet(lan["PC1"], client, lan["server"], server, text="hello")
            lan.settle()
    return {"place": "PC1", "server_name": SERVER_NAME, "cable_s": CABLE_S}
