import pytest

from lab.chat.server import ChatServer
from tests.chat.certificates import Authority
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
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "theirs")


@pytest.fixture(scope="session")
def server_files(authority):
    """Certificate and key of a server that is called localhost, 127.0.0.1 and ::1."""
    return authority.issue("localhost", "127.0.0.1", "::1")
