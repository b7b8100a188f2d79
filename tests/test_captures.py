"""The captures that ship: the report's frame byte for byte, and the recordings with their manifest."""

import hashlib
import json
import struct

import pytest

from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.exposure import eavesdrop, score
from lab.harness.manifest import read_manifest
from lab.harness.scenarios import report
from tests.support import ROOT

CAPTURES = ROOT / "captures"
REPORT = CAPTURES / report.FILE_NAME
CHATS = {folder: read_manifest(CAPTURES / folder / "manifest.json") for folder in ("chat", "paced", "today")}
RECORDINGS = [(folder, entry) for folder, manifest in CHATS.items() for entry in manifest["recordings"]]


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, written out here so that the kit's own code is not its own witness."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_frame_1193_has_the_reports_values():
    segments = read_segments(REPORT)
    assert len(segments) == 1
    assert segments.endpoint(0) == ("10.27.27.131", 9898)
    assert segments.endpoint(0, destination=True) == ("10.27.27.206", 56228)
    assert segments.frame_length[0] == 69
    assert segments.payload_length[0] == 15
    assert bytes(segments.payload(0)) == b"<Brandon> hello"
    assert segments.flags[0] == 0x18  # PSH and ACK
    assert segments.window[0] == 502
    assert (segments.seq[0], segments.ack[0]) == (0x06E51BFA, 0x68086395)
    assert segments.time_ns[0] == 11_502_790_000


def test_frame_1193_is_the_reports_byte_for_byte_and_its_checksums_verify():
    frame = bytes(read_capture(REPORT).frame(1))
    assert frame == report.FRAME_1193
    header, segment = frame[14:34], frame[34:]
    assert ones_complement_sum(header) == 0xFFFF
    pseudo_header = header[12:20] + bytes([0, 6]) + struct.pack(">H", len(segment))
    assert ones_complement_sum(pseudo_header + segment) == 0xFFFF


@pytest.mark.parametrize(("position", "spoilt"), [(24, "ip.checksum"), (50, "tcp.checksum")])
def test_its_checksums_are_judged_right_and_a_spoilt_one_wrong(position, spoilt):
    frame = bytearray(report.FRAME_1193)
    for key in ("ip.checksum", "tcp.checksum"):
        assert dissect_frame(bytes(frame)).find(key).judgement == "right"
    frame[position] ^= 1
    assert dissect_frame(bytes(frame)).find(spoilt).judgement == "wrong"


def test_the_report_capture_is_made_by_its_command(tmp_path):
    assert report.write_frame_1193(tmp_path).read_bytes() == REPORT.read_bytes()


@pytest.mark.parametrize(
    ("folder", "recording"), RECORDINGS, ids=lambda one: one if isinstance(one, str) else one["file"]
)
def test_a_shipped_recording_is_the_one_its_manifest_speaks_of(folder, recording):
    path = CAPTURES / folder / recording["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == recording["sha256"]
    flows = find_flows(read_segments(path))
    assert [flow.initiator.port for flow in flows] == [user["port"] for user in recording["users"]]
    shares = {item.kind: item.share for item in score(eavesdrop(path), recording)}
    for kind in ("identities", "content", "secrets"):
        assert shares[kind] == (0 if recording["tls"] != "none" else 1)


def test_every_shipped_capture_is_told_of_in_the_readme():
    text = (CAPTURES / "README.md").read_text()
    shipped = [path for path in CAPTURES.rglob("*.pcapng") if not {"demo", "mine"} & set(path.parts)]
    assert len(shipped) >= 4
    for path in shipped:
        assert path.name in text
    for path in CAPTURES.glob("*/*.keys"):
        assert "public" in path.read_text().splitlines()[0]


def test_the_manifest_is_plain_json():
    for folder in CHATS:
        json.loads((CAPTURES / folder / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("recording", CHATS["paced"]["recordings"], ids=lambda one: one["file"])
def test_at_the_pace_of_people_a_time_is_a_time(recording):
    """Lines are seconds apart, and each is on the wire within 0.1 s. In ``chat`` they are 0.5 ms apart: there it is order."""
    path = CAPTURES / "paced" / recording["file"]
    sent = [event["time_ns"] for event in recording["events"] if event["action"] in ("say", "tell")]
    gaps = [after - before for before, after in zip(sent, sent[1:], strict=False)]
    assert CHATS["paced"]["pace_s"] == 2 and sorted(gaps)[len(gaps) // 2] > 500_000_000
    seen = [message.time_ns for message in eavesdrop(path).said]
    assert all(0 <= at - time_ns < 100_000_000 for at, time_ns in zip(seen, sent, strict=True))
    scores = {item.kind: item for item in score(eavesdrop(path), recording)}
    assert scores["presence"].share == 1 and scores["presence"].wrong == 0
