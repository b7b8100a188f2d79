"""A client that checks certificates meets two impostors and its server; another checks nothing.

TLS 1.2, where certificates and alerts are in the recording for all to read. TLS 1.3 encrypts both.
"""

import socket
import ssl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.chat import tls
from lab.chat.connection import ConnectionLost
from lab.harness.bare_socket import WAIT_S
from lab.harness.certificates import issue
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.tls_contexts import SERVER_NAME
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host

VERSION = "1.2"
SECRET = "the password is swordfish"


@scenario(notebook="05")
def impostor(path: Path) -> Truth:
    """Four clients ask for chat.lab.test, and PC 2 answers three of them, at the client."""
    with tempfile.TemporaryDirectory() as folder, lesson_lan(path, "PC1") as lan:
        names = {"wrong authority": SERVER_NAME, "wrong name": "pc2.lab.test", "right": SERVER_NAME}
        made = {which: issue(Path(folder) / which, [name]) for which, name in names.items()}
        trusted = Path(folder) / "trusted.pem"  # two authorities, one of which knows PC 2 by its own name
        trusted.write_text(made["wrong name"].ca.read_text() + made["right"].ca.read_text())
        meetings = []
        for which, host, ca in (
            ("wrong authority", "PC2", trusted),
            ("wrong name", "PC2", trusted),
            ("wrong authority", "PC2", None),
            ("right", "server", trusted),
        ):
            server = tls.server_context(made[which].certificate, made[which].key, VERSION)
            refusal, heard = meet(lan["PC1"], ca, lan[host], server)
            lan.settle()
            met = {"certificate": which, "host": host, "checked": ca is not None}
            meetings.append(met | {"refusal": refusal, "heard": heard})
    return {"place": "PC1", "server_name": SERVER_NAME, "meetings": meetings, "cable_s": CABLE_S}


def meet(
    client: Host, ca: Path | None, server: Host, context: ssl.SSLContext, address: str | None = None
) -> tuple[str | None, str]:
    """Have a client say the secret to a server, if it trusts it; return why not, and what the server has heard.

    ``address`` is that of the server that the client wants, where another answers for it.
    """
    with server.listen(REPORT_PORT) as listener, ThreadPoolExecutor(1) as thread:
        heard = thread.submit(_hear, listener, context)
        return _say(client, address or server.address, ca), heard.result()


def _say(client: Host, address: str, ca: Path | None) -> str | None:
    """Say the secret to whoever answers at ``address``; without ``ca`` check nothing. Return why it was not said."""
    context = tls.client_context(ca, VERSION)
    if ca is None:  # what no client should do
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = client.open_socket()
    sock.settimeout(WAIT_S)
    sock.connect((address, REPORT_PORT))
    try:
        connection = tls.TlsConnection(sock, context, SERVER_NAME, WAIT_S)
    except ConnectionLost as error:
        sock.close()
        return str(error)
    connection.send(SECRET.encode())
    connection.finish()
    connection.close()
    return None


def _hear(listener: socket.socket, context: ssl.SSLContext) -> str:
    sock, _ = listener.accept()
    try:
        connection = tls.accept(sock, context, WAIT_S)
    except ConnectionLost:
        sock.close()
        return ""
    heard = connection.receive(1000)
    connection.finish()
    connection.close()
    return heard.decode()
