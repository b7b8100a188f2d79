"""``python lab/capture.py --scenario report`` against the report's own trace, read by two engines.

The six rows are those of the report's section 4 (relative numbers; frame numbers and times belong to its recording).
"""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.segments import flag_names, read_segments
from lab.harness.scenarios.report import FRAME_1193
from lab.harness.script import REPORT_SCRIPT
from lab.net import namespace
from tests.support import ROOT, needs_namespaces

pytestmark = needs_namespaces

PC1, SERVER = ("10.27.27.206", 56228), ("10.27.27.131", 9898)
# from, to, flags, relative seq, relative ack (0 where the flag is not set), payload length, frame length
SYN, SYN_ACK, ACK, HELLO, HELLO_ACK, NEXT = ROWS = [
    (PC1, SERVER, "SYN", 0, 0, 0, 66),
    (SERVER, PC1, "SYN, ACK", 0, 1, 0, 66),
    (PC1, SERVER, "ACK", 1, 1, 0, 54),
    (SERVER, PC1, "PSH, ACK", 106, 52, 15, 69),
    (PC1, SERVER, "ACK", 52, 121, 0, 54),
    (PC1, SERVER, "PSH, ACK", 52, 121, 4, 58),
]


def rows_by_dissect(path: Path) -> list[tuple]:
    segments = read_segments(path)
    return [
        (
            segments.endpoint(i),
            segments.endpoint(i, destination=True),
            flag_names(int(segments.flags[i])),
            int(segments.relative_seq[i]),
            int(segments.relative_ack[i]) if segments.flags[i] & 0x10 else 0,
            int(segments.payload_length[i]),
            int(segments.frame_length[i]),
        )
        for i in range(len(segments))
    ]


def rows_by_tshark(path: Path) -> list[tuple]:
    fields = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport"]
    fields += ["tcp.flags", "tcp.seq", "tcp.ack", "tcp.len", "frame.len"]
    command = [
        "tshark",
        "-n",
        "-r",
        path,
        "-Y",
        "ip.addr==10.27.27.206 and ip.addr==10.27.27.131",
        "-T",
        "fields",
    ]
    for name in fields:
        command += ["-e", name]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = []
    for line in printed.splitlines():
        source, source_port, destination, port, flags, *numbers = line.split("\t")
        flags = flag_names(int(flags, 16))
        rows.append(((source, int(source_port)), (destination, int(port)), flags, *map(int, numbers)))
    return rows


ENGINES = [
    pytest.param(rows_by_dissect, id="dissect"),
    pytest.param(
        rows_by_tshark,
        id="tshark",
        marks=pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
    ),
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report")
    command = [sys.executable, ROOT / "lab" / "capture.py", "--scenario", "report", "--out", out, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads((out / "manifest.json").read_text())
    return out


@pytest.mark.parametrize("rows_by", ENGINES)
def test_the_six_rows_come_out_exactly(recorded, rows_by):
    rows = rows_by(recorded / "report.pcapng")
    assert rows[:3] == ROWS[:3]
    hello = rows.index(HELLO)
    assert rows[hello : hello + 3] == ROWS[3:]


def test_both_engines_see_the_same_segments(recorded):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    assert rows_by_dissect(recorded / "report.pcapng") == rows_by_tshark(recorded / "report.pcapng")


def hello_frame(path: Path) -> bytes:
    capture = read_capture(path)
    frames = [bytes(capture.frame(number)) for number in range(1, len(capture) + 1)]
    (frame,) = [frame for frame in frames if frame.endswith(b"> hello")]
    return frame


# Where frame 1193 may differ: IP identification and checksum; TCP seq, ack, window and checksum (offsets in the frame)
FREE = [*range(18, 20), *range(24, 26), *range(38, 46), *range(48, 50), *range(50, 52)]


def test_the_hello_frame_is_frame_1193_but_for_what_a_host_draws_at_random(recorded):
    frame = hello_frame(recorded / "report.pcapng")
    assert len(frame) == len(FRAME_1193) == 69
    differ = [offset for offset in range(69) if frame[offset] != FRAME_1193[offset]]
    assert [offset for offset in differ if offset not in FREE] == []
    assert frame[22] == 64, "the TTL"


def checksum(data: bytes) -> int:
    """RFC 1071, over data that carries its own checksum: 0 when that is right."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def test_its_checksums_are_real(recorded):
    for frame in (FRAME_1193, hello_frame(recorded / "report.pcapng")):
        pseudo_header = frame[26:34] + struct.pack("!HH", 6, len(frame) - 34)
        assert checksum(frame[14:34]) == 0
        assert checksum(pseudo_header + frame[34:]) == 0


def test_the_syn_offers_what_the_reports_does(recorded):
    segments = read_segments(recorded / "report.pcapng")
    assert [int(segments.window[i]) for i in (0, 1)] == [64240, 64240]
    assert [int(segments.options.mss[i]) for i in (0, 1)] == [1460, 1460]


def test_nothing_is_longer_than_ethernet_and_nothing_foreign_is_in_it(recorded):
    capture = read_capture(recorded / "report.pcapng")
    assert max(capture.original_length) <= 1514
    assert (capture.captured_length == capture.original_length).all()
    ether_types = {bytes(capture.frame(n))[12:14] for n in range(1, len(capture) + 1)}
    assert ether_types == {b"\x08\x00", b"\x08\x06"}


def test_the_manifest_is_the_truth_and_says_what_cannot_match(recorded):
    (entry,) = json.loads((recorded / "manifest.json").read_text())["recordings"]
    said = [(event["who"], event["text"]) for event in entry["events"] if event["action"] == "say"]
    assert tuple(said) == REPORT_SCRIPT.lines
    assert [(user["name"], user["address"]) for user in entry["users"]] == [
        ("Brandon", "10.27.27.206"), ("John", "10.27.27.49"), ("Alice", "10.27.27.43")
    ]  # fmt: skip
    assert entry["users"][0]["port"] == 56228 and entry["server"] == {"address": SERVER[0], "port": SERVER[1]}
    assert entry["interface"] == "PC1/eth0" and entry["frames"] == len(
        read_capture(recorded / "report.pcapng")
    )
    reasons = {one["value"]: one["why"] for one in entry["cannot_match"]}
    assert "kernel" in reasons["windows after the SYN"] and "secret" in reasons["initial sequence numbers"]


def test_the_interface_has_a_name_and_a_description(recorded):
    (interface,) = read_capture(recorded / "report.pcapng").interfaces
    assert interface.name == "PC1/eth0"
    assert interface.description == "PC1, 10.27.27.206/24, 18:c0:4d:df:aa:43"


def test_the_report_scenario_takes_no_other_script(tmp_path):
    command = [
        sys.executable,
        ROOT / "lab" / "capture.py",
        "--scenario",
        "report",
        "--seed",
        "3",
        "--out",
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "leave out --seed" in done.stderr


def test_where_namespaces_are_refused_it_says_how_to_get_them(tmp_path):
    program = "open('/proc/sys/user/max_net_namespaces', 'w').write('0')\n"
    command = [
        sys.executable,
        str(ROOT / "lab" / "capture.py"),
        "--scenario",
        "report",
        "--out",
        str(tmp_path),
    ]
    program += f"import os, sys; os.execv(sys.executable, {command!r})"
    done = subprocess.run(
        namespace.launcher([sys.executable, "-c", program]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "lab capture: network namespaces are switched off (their number is limited to 0): "
        "sudo sysctl -w user.max_net_namespaces=10000\n"
    )
