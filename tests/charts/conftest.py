"""Flows to draw: the shipped recordings, and a flow with loss."""

from dataclasses import replace

import pytest

from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.segments import read_segments
from lab.exposure.cures import Price
from lab.exposure.experiment import Result
from lab.exposure.leaks import Leak
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


@pytest.fixture(scope="session")
def prices():
    """Prices of cures that nobody has recorded: round numbers, with a bad bargain in each currency."""
    leak = Leak(2.0, 1.5, 2.5, 60, unit="conversation")
    before = Result("topic", "none", 12, 60, 40, 0.95, (0.92, 0.98), 0.5, (0.44, 0.57), leak)
    costs = {
        "none": (0.95, 0.0, 0.0), "padding": (0.7, 0.6, 0.0), "batching": (0.8, -0.3, 500.0),
        "clock": (0.52, 3.0, 130.0), "chaff": (0.69, 4.0, 0.0),
    }  # fmt: skip
    return [
        Price(before, replace(before, cure=cure, auc=auc, interval=(auc - 0.06, min(1, auc + 0.06))), *more)
        for cure, (auc, *more) in costs.items()
    ]
