"""What all tests share: where the kit is, what is recorded once for all workers, and what a run leaves out."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.setup.folder_lock import folder_lock
from tests.browser import chromium, module_tab, tab  # noqa: F401  (fixtures)
from tests.support import REFUSAL, ROOT, shared_folder

skipped: Counter[str] = Counter()  # reason: how many tests
left_out: set[str] = set()  # by their marker

# A shell without job control starts what is behind an & with Ctrl-C ignored, and what the tests start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """``once(name, make)``: the folder ``name``, which ``make(folder)`` has filled in the first worker that asked."""
    shared = shared_folder(tmp_path_factory)

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        lock, folder = shared / f"{name}.lock", shared / name
        lock.mkdir(exist_ok=True)
        with folder_lock(lock, wait=True):
            if not folder.exists():
                partial = Path(tempfile.mkdtemp(dir=lock))
                make(partial)
                partial.rename(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def recorded(once):
    """(folder, manifest) of one fresh recording in each variant, seed 7, with keys."""
    from lab.harness.manifest import MANIFEST, read_manifest
    from lab.harness.session import record
    from lab.harness.tap import RecordingRefused
    from lab.harness.variant import Variant

    try:
        folder = once(
            "recorded",
            lambda folder: record(
                folder, [Variant(tls) for tls in ("none", "1.2", "1.3")], seed=7, key_log=True
            ),
        )
        return folder, read_manifest(folder / MANIFEST)
    except RecordingRefused as error:
        pytest.skip(str(error))


# What is run


def pytest_addoption(parser):
    parser.addoption(
        "--all", action="store_true", help="also run what is marked for maintainers: some minutes more"
    )


def pytest_collection_modifyitems(config, items):
    if not shutil.which("tshark"):
        for item in items:
            if item.get_closest_marker("tshark"):
                item.add_marker(pytest.mark.skip(reason="tshark is not installed"))
    if not config.option.all and not any("::" in argument for argument in config.args):
        left_out.update(item.nodeid for item in items if item.get_closest_marker("maintainers"))
        items[:] = [item for item in items if item.nodeid not in left_out]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test that records on the loopback in a namespace, where this user may not record on the machine's own."""
    from lab.harness.tap import may_record
    from lab.net import namespace

    if not pyfuncitem.get_closest_marker("records") or not (refused := may_record()):
        return None
    if REFUSAL:
        pytest.skip(f"{refused}, and the kit can make no namespace here: {REFUSAL}")
    options = ["-q", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, pyfuncitem.nodeid]
    with tempfile.TemporaryDirectory() as folder:
        command = namespace.launcher([*command, f"--basetemp={folder}/t"])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they would cost more than most of these tests
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    return True


# What was not run, and why


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped[
            str(report.longrepr[-1]).removeprefix("Skipped: ") if report.longrepr else "no reason given"
        ] += 1


def pytest_sessionfinish(session, exitstatus):
    """On CI everything is installed, so nothing may be skipped: a skipped test has tested nothing."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = sorted(left_out)
    elif os.environ.get("CI") and skipped and exitstatus == 0:
        session.exitstatus = 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    left_out.update(getattr(node, "workeroutput", {}).get("left_out", []))


def pytest_terminal_summary(terminalreporter):
    if skipped:
        terminalreporter.section("skipped" + " on CI, which counts as a failure" * bool(os.environ.get("CI")))
        for reason, count in skipped.most_common():
            terminalreporter.line(f"{count:5} {'test' if count == 1 else 'tests'}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The last line of a run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    missing = [f"{sum(skipped.values())} that are skipped for the reasons above"] if skipped else []
    missing += [f"{len(left_out)} for maintainers (python3 lab test --all runs them)"] if left_out else []
    reporter.write_line(f"Not run: {', '.join(missing)}." if missing else "Nothing was left out.")
