"""Flows to draw: the shipped recordings, and a flow with loss."""

import pytest

from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.segments import read_segments
from tests.charts.traffic import write_lossy_upload
from tests.support import CHAT


@pytest.fixture(scope="session")
def plain():
    """Brandon's flow of the shipped chat in plaintext."""
    return find_flow(read_segments(CHAT / "plain.pcapng"), 0)


@pytest.fixture(scope="session")
def encrypted():
    """The same over TLS 1.3."""
    return find_flow(read_segments(CHAT / "tls13.pcapng"), 0)


@pytest.fixture(scope="session")
def lossy(tmp_path_factory):
    """An upload with loss, SACK and a window that closes."""
    path = tmp_path_factory.mktemp("charts") / "lossy.pcapng"
    write_lossy_upload(path)
    return find_flow(read_segments(path), 0)
