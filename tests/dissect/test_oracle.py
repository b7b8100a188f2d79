"""The other engines give the same answers where they answer at all, also from inside a running event loop."""

import asyncio
import subprocess
import sys

import pytest

from lab.dissect import oracle
from tests.dissect import packets
from tests.dissect.generator import Conversation
from tests.support import CAPTURES, ROOT


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    talk = Conversation(7, packets.ETHERNET)
    talk.snap = None
    path = tmp_path_factory.mktemp("oracle") / "talk.pcap"
    path.write_bytes(packets.pcap(talk.play()))
    return path


needs_pyshark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="pyshark does not run on Python 3.14")


@pytest.mark.tshark
@needs_pyshark
@pytest.mark.parametrize("use_json", [False, True])
def test_pyshark(path, use_json):
    theirs, ours = oracle.pyshark_rows(path, use_json), oracle.our_rows(path)
    assert theirs.keys() == ours.keys() and len(ours) > 10
    for number, row in theirs.items():
        assert row == {name: ours[number][name] for name in row}


@pytest.mark.tshark
@needs_pyshark
def test_pyshark_inside_a_running_event_loop(path):
    """A notebook has a loop running; pyshark by itself fails there."""

    async def cell():
        return oracle.compare(path, "pyshark")

    assert asyncio.run(cell()) == []


@pytest.mark.tshark
@needs_pyshark
def test_an_error_in_the_thread_arrives(tmp_path):
    with pytest.raises(Exception, match=r"nowhere|No such file"):
        oracle.pyshark_rows(tmp_path / "nowhere.pcap")


def test_scapy(path):
    assert oracle.compare(path, "scapy") == []
    assert len(oracle.scapy_rows(path)) > 10


def test_scapy_warns_of_nothing_on_standard_error(tmp_path):
    """It logs link types that it does not know."""
    (tmp_path / "odd.pcap").write_bytes(packets.pcap([(0, b"whatever", 8)], 77))
    code = "import sys; from lab.dissect import oracle; print(oracle.scapy_rows(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "odd.pcap")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("{}\n", "")


def test_differences_are_shown(path, monkeypatch):
    """An engine that is off by one in one column, and that misses a frame, is caught in both."""
    right = oracle.our_rows(path)
    wrong = {number: dict(row) for number, row in right.items()}
    numbers = sorted(wrong)
    wrong[numbers[3]]["relative_ack"] += 1
    del wrong[numbers[5]]
    monkeypatch.setattr(oracle, "scapy_rows", lambda _path: wrong)
    first, second = oracle.compare(path, "scapy")
    assert (first.number, first.column, first.theirs - first.ours) == (numbers[3], "relative_ack", 1)
    assert (second.number, second.column, second.ours, second.theirs) == (numbers[5], "row", 1, None)


def test_what_is_missing_says_so(path, monkeypatch):
    monkeypatch.setattr(oracle.shutil, "which", lambda _name: None)
    with pytest.raises(oracle.OracleMissing, match="apt install tshark"):
        oracle.tshark_rows(path)
    for module, ask in (("pyshark", oracle.pyshark_rows), ("scapy.layers.inet", oracle.scapy_rows)):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(oracle.OracleMissing, match="pip install"):
            ask(path)


@pytest.mark.tshark
def test_a_file_cut_short_still_gives_its_rows(path, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(path.read_bytes()[:-7])
    assert oracle.compare(cut) == []
    junk = tmp_path / "junk.pcap"
    junk.write_bytes(b"junk that is no capture at all")
    with pytest.raises(RuntimeError, match="tshark"):
        oracle.tshark_rows(junk)


@pytest.mark.tshark
@needs_pyshark
@pytest.mark.parametrize("times", [3, pytest.param(12, marks=pytest.mark.maintainers)])
def test_pyshark_answers_every_time(times):
    """Its worker thread once took tshark's orderly end for a crash, three times in eight."""

    from lab.dissect.oracle import pyshark_rows

    path = CAPTURES / "report-frame-1193.pcapng"
    assert [len(pyshark_rows(path)) for _ in range(times)] == [1] * times


@pytest.mark.tshark
@needs_pyshark
def test_pyshark_leaves_asyncio_as_it_was():
    """Processes that somebody else waits for with asyncio, as a notebook may, still end for them."""

    async def end() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        return await process.wait()

    oracle.pyshark_rows(CAPTURES / "report-frame-1193.pcapng")
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(end()) == 0
    loop.close()
