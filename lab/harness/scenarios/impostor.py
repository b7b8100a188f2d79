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
    meetings = []
    with tempfile.TemporaryDirectory() as folder, lesson_lan(path, "PC1") as lan:
        servers, careful = identities(Path(folder), "pc2.lab.test")
        for which, host, is_checked in (
            ("wrong authority", "PC2", True),
            ("wrong name", "PC2", True),
            ("wrong authority", "PC2", False),
            ("right", "server", True),
        ):
            client = careful if is_checked else careless_client()
            refusal, heard = meet(lan["PC1"], client, lan[host], servers[which])
            lan.settle()
            met = {"certificate": which, "host": host, "checked": is_checked}
            meetings.append(met | {"refusal": refusal, "heard": heard})
    return {"place": "PC1", "server_name": SERVER_NAME, "meetings": meetings, "cable_s": CABLE_S}


def identities(folder: Path, own_name: str) -> tuple[dict[str, ssl.SSLContext], ssl.SSLContext]:
    """Return the contexts of two impostors and the server, and that of a client that checks certificates.

    It trusts two authorities, one of which knows the impostor by its own name.
    """
    names = {"wrong authority": SERVER_NAME, "wrong name": own_name, "right": SERVER_NAME}
    made = {which: issue(folder / which, [name]) for which, name in names.items()}
    trusted = folder / "trusted.pem"
    trusted.write_text(made["wrong name"].ca.read_text() + made["right"].ca.read_text())
    servers = {which: tls.server_context(one.certificate, one.key, VERSION) for which, one in made.items()}
    return servers, tls.client_context(trusted, VERSION)


def careless_client() -> ssl.SSLContext:
    """Return the context of a client that checks nothing, as no client should."""
    context = tls.client_context(None, VERSION)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def meet(
    client: Host,
    client_tls: ssl.SSLContext,
    server: Host,
    server_tls: ssl.SSLContext,
    address: str = "",
    text: str = SECRET,
) -> tuple[str | None, str]:
    """Have a client say something to a server, if it trusts it; return why not, and what the server has heard.

    ``address`` is that of the server that the client wants, where another answers for it.
    """
    with server.listen(REPORT_PORT) as listener, ThreadPoolExecutor(1) as thread:
        heard = thread.submit(_hear, listener, server_tls)
        return _say(client, address or server.address, client_tls, text), heard.result()


def _say(client: Host, address: str, context: ssl.SSLContext, text: str) -> str | None:
    """Say it to whoever answers at ``address``. Return why it was not said."""
    sock = client.open_socket()
    sock.settimeout(WAIT_S)
    sock.connect((address, REPORT_PORT))
    try:
        connection = tls.TlsConnection(sock, context, SERVER_NAME, WAIT_S)
    except ConnectionLost as error:
        sock.close()
        return str(error)
    connection.send(text.encode())
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
