import pytest

from lab.chat.server import ChatServer
from lab.harness.certificates import LOOPBACK_NAMES
from lab.harness.certificates import issue as issue_certificates
from tests.chat.rig import Console


@pytest.fixture
def serve():
    """``serve(**options)``: a server on a free port, stopped at the end; its console is ``server.said``."""
    servers = []

    def start(**options):
        console = Console()
        server = ChatServer(options.pop("host", "127.0.0.1"), 0, console=console, **options)
        server.said = console
        servers.append(server.start())
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """``certificates(*names, days=...)``: a new authority and a server's certificate and key, issued by it."""

    def issue(*names, **options):
        return issue_certificates(tmp_path_factory.mktemp("certificates"), names or LOOPBACK_NAMES, **options)

    return issue


@pytest.fixture(scope="session")
def ours(certificates):
    """The certificate of most tests' server, which is called localhost, 127.0.0.1 and ::1."""
    return certificates()
