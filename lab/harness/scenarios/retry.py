"""Two TLS handshakes over a long cable: the second client has to say hello twice."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.chat.tls import TlsConnection
from lab.harness import openssl_peer
from lab.harness.bare_socket import WAIT_S
from lab.harness.certificates import issue
from lab.harness.lesson_lan import lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.tls_contexts import SERVER_NAME
from lab.harness.variant import REPORT_PORT, Variant
from lab.net.lan import Lan

CABLE_S = 0.025  # one way


@scenario(notebook="08")
def retry(path: Path) -> Truth:
    """Two clients with a hybrid key share, one of which is asked for another group, at the client: 50 ms a round trip."""
    with lesson_lan(path, "PC1") as lan:
        lan.condition("PC1", delay_s=CABLE_S)
        for retried in (False, True):
            _greet(lan, Variant("1.3", groups="X25519MLKEM768", retry=retried))
            lan.settle()
    return {"place": "PC1", "server_name": SERVER_NAME, "cable_s": CABLE_S}


def _greet(lan: Lan, variant: Variant) -> None:
    """Have PC 1 connect to the server over TLS and say hello."""
    with tempfile.TemporaryDirectory() as folder, lan["server"].listen(REPORT_PORT) as listener:
        server, client = openssl_peer.contexts(variant, issue(folder, [SERVER_NAME]), None)
        with ThreadPoolExecutor(1) as thread:

            def answer() -> None:
                connection = TlsConnection(listener.accept()[0], server, deadline_s=WAIT_S)
                connection.receive(1000)
                connection.finish()
                connection.close()

            answered = thread.submit(answer)
            sock = lan["PC1"].open_socket()
            sock.settimeout(WAIT_S)
            sock.connect((lan["server"].address, REPORT_PORT))
            connection = TlsConnection(sock, client, SERVER_NAME, WAIT_S)
            connection.send(b"hello")
            connection.finish()
            connection.close()
            answered.result()
