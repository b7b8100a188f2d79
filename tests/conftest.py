"""What all tests share: where the kit is, one recording that many look at, and the rule about skipping."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

skipped: list[str] = []

# A shell without job control starts what is behind an & with Ctrl-C ignored, and what the tests start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """(folder, manifest) of one fresh recording in each variant, seed 7, with keys."""
    from lab.room.record import record
    from lab.room.tap import RecordingRefused

    folder = tmp_path_factory.mktemp("recorded")
    try:
        return folder, record(folder, ["none", "1.2", "1.3"], seed=7, key_log=True)
    except RecordingRefused as error:
        pytest.skip(str(error))


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped.append(f"{report.nodeid}: {report.longrepr[-1] if report.longrepr else ''}")


def pytest_sessionfinish(session, exitstatus):
    """On CI everything is installed, so nothing may be skipped: a skipped test has tested nothing."""
    if os.environ.get("CI") and skipped and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("CI") and skipped:
        terminalreporter.section("skipped on CI, which counts as a failure")
        for line in skipped:
            terminalreporter.line(line)
