"""Recording: a real session, a real capture, held against what the player says happened and what tshark sees."""

import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest

from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.harness.manifest import MANIFEST, read_manifest
from lab.harness.script import make_script
from lab.harness.session import record
from lab.harness.tap import RecordingError, RecordingRefused, Tap, may_record, open_interface
from lab.harness.variant import Variant
from lab.net import namespace
from tests.support import ROOT, needs_namespaces

VARIANTS = {"plain.pcapng": "none", "tls12.pcapng": "1.2", "tls13.pcapng": "1.3"}
pytestmark = pytest.mark.as_root  # records on the machine's own loopback there
needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


def tshark(path, *arguments) -> list[str]:
    command = ["tshark", "-n", "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def raw_streams(path) -> bytes:
    return b"\n".join(
        stream.data
        for flow in find_flows(read_segments(path))
        for stream in (flow.from_initiator, flow.from_responder)
    )


@pytest.mark.parametrize("file", VARIANTS)
def test_every_flow_is_there_from_the_first_syn_to_the_last_fin(recorded, file):
    folder, manifest = recorded
    [recording] = [entry for entry in manifest["recordings"] if entry["file"] == file]
    flows = find_flows(read_segments(folder / file))
    assert [flow.initiator.port for flow in flows] == [user["port"] for user in recording["users"]]
    for flow in flows:
        assert flow.handshake and flow.handshake.ack
        assert flow.closing.startswith("closed: FIN from") and "RST" not in flow.closing
        assert not flow.from_initiator.gaps and not flow.from_responder.gaps


@pytest.mark.parametrize("file", VARIANTS)
def test_nothing_but_the_labs_port_is_in_the_file(recorded, file):
    folder, manifest = recorded
    [recording] = [entry for entry in manifest["recordings"] if entry["file"] == file]
    segments = read_segments(folder / file)
    assert (
        len(segments) == recording["frames"] == len(read_capture(folder / file))
    )  # every frame is a TCP segment
    port = recording["server"]["port"]
    assert all((segments.sport == port) | (segments.dport == port))


def test_every_line_is_in_the_plaintext_recording(recorded):
    folder, _ = recorded
    streams = raw_streams(folder / "plain.pcapng")
    for who, text in make_script(7).lines:
        assert f"<{who}> {text}".encode() in streams


@pytest.mark.parametrize("file", ["tls12.pcapng", "tls13.pcapng"])
def test_no_line_and_no_name_is_in_the_tls_recording(recorded, file):
    folder, _ = recorded
    whole_file, streams = (folder / file).read_bytes(), raw_streams(folder / file)
    assert len(streams) > 5000
    for who, text in make_script(7).lines:
        for secret in (text.encode(), who.encode()):
            if len(secret) > 3:  # three bytes turn up in random ones now and then
                assert secret not in streams and secret not in whole_file


@needs_tshark
@pytest.mark.parametrize("file", VARIANTS)
def test_wireshark_reads_it_and_finds_no_fault(recorded, file):
    folder, manifest = recorded
    [recording] = [entry for entry in manifest["recordings"] if entry["file"] == file]
    port = recording["server"]["port"]
    assert len(tshark(folder / file)) == recording["frames"]
    # The port is any free one. Wireshark would take 34980 for EtherCAT, and say that it is malformed.
    spoken = f"tcp.port=={port},{'data' if file == 'plain.pcapng' else 'tls'}"
    trouble = (
        "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.flags.reset == 1 || _ws.malformed"
    )
    assert tshark(folder / file, "-d", spoken, "-Y", trouble) == []
    if recording["tls"] != "none":
        fields = ["-d", f"tcp.port=={port},tls", "-Y", "tls.handshake.type == 2", "-T", "fields"]
        hellos = tshark(
            folder / file,
            *fields,
            "-e",
            "tls.handshake.version",
            "-e",
            "tls.handshake.extensions.supported_version",
        )
        assert hellos == [{"1.2": "0x0303\t", "1.3": "0x0303\t0x0304"}[recording["tls"]]] * 3


@needs_tshark
@pytest.mark.parametrize("file", ["tls12.pcapng", "tls13.pcapng"])
def test_the_key_log_opens_the_recording(recorded, file):
    folder, manifest = recorded
    [recording] = [entry for entry in manifest["recordings"] if entry["file"] == file]
    decode = ["-d", f"tcp.port=={recording['server']['port']},tls", "-q", "-z", "follow,tls,ascii,0"]
    line = f"<{make_script(7).lines[0][0]}> {make_script(7).lines[0][1]}"
    keys = ["-o", f"tls.keylog_file:{folder / recording['key_log']}"]
    assert any(line in output for output in tshark(folder / file, *keys, *decode))
    assert not any(line in output for output in tshark(folder / file, *decode))


def test_the_same_seed_gives_the_same_story(tmp_path):
    stories = []
    for attempt in ("first", "second"):
        record(tmp_path / attempt, [Variant()], seed=3, say=lambda line: None)
        flows = find_flows(read_segments(tmp_path / attempt / "plain.pcapng"))
        stories.append(
            [
                [stream.data[p.offset : p.offset + p.length] for p in stream.pieces]
                for flow in flows
                for stream in (flow.from_initiator, flow.from_responder)
            ]
        )
    assert stories[0] == stories[1]  # the same payloads in the same segments: one read is one message
    assert make_script(3).lines != make_script(4).lines


def test_the_manifest_tells_what_was_said(recorded):
    folder, manifest = recorded
    assert read_manifest(folder / MANIFEST) == manifest
    for recording in manifest["recordings"]:
        said = [(event["who"], event["text"]) for event in recording["events"] if event["action"] == "say"]
        assert tuple(said) == make_script(7).lines
        times = [event["time_ns"] for event in recording["events"]]
        assert times == sorted(times)
        assert recording["sha256"] == hashlib.sha256((folder / recording["file"]).read_bytes()).hexdigest()


@needs_namespaces
def test_the_harness_works_in_a_namespace(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.harness.session.may_record", lambda: "this user may not record on lo: refused")
    manifest = record(tmp_path, [Variant(), Variant("1.3")], say=lambda line: None)
    assert manifest == read_manifest(tmp_path / MANIFEST)
    assert "namespace" in manifest["where"]
    flows = [len(find_flows(read_segments(tmp_path / entry["file"]))) for entry in manifest["recordings"]]
    assert flows == [3, 3]


@needs_namespaces
def test_a_failure_in_a_namespace_keeps_its_name_and_text(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.harness.session.may_record", lambda: "this user may not record on lo: refused")
    (tmp_path / "plain.pcapng").mkdir()
    with pytest.raises(RecordingError, match=r"cannot write .*plain\.pcapng: Is a directory"):
        record(tmp_path, [Variant()], say=lambda line: None)
    assert not (tmp_path / MANIFEST).exists()


@needs_namespaces
def test_a_namespace_sees_nothing_of_the_machines_network():
    listing = "import socket; print([name for _, name in socket.if_nameindex()])"
    done = subprocess.run(
        namespace.launcher([sys.executable, "-c", listing]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.strip() == "['lo']"


@needs_namespaces
def test_what_a_namespace_runs_dies_with_the_one_who_started_it(tmp_path):
    starter = (
        "import subprocess, sys; from lab.net import namespace;"
        "command = namespace.launcher(['sh', '-c', 'echo $$; exec sleep 600']);"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True);"
        "print(child.stdout.readline().strip(), flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    handle = os.pidfd_open(child)
    parent.kill()
    parent.wait()
    assert select.select([handle], [], [], 20)[0], "the child outlived its parent"
    os.close(handle)
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_recorded_survives_whatever_ends_the_recorder(tmp_path, number):
    if may_record() and namespace.refusal():
        pytest.skip("this user may not record here")
    program = (
        "import socket, sys; from lab.harness.tap import Tap\n"
        "listener = socket.create_server(('127.0.0.1', 0)); port = listener.getsockname()[1]\n"
        f"with Tap({str(tmp_path / 'cut.pcapng')!r}, port) as tap:\n"
        "    ours = socket.create_connection(('127.0.0.1', port)); theirs, _ = listener.accept()\n"
        "    ours.sendall(b'kept'); theirs.recv(4)\n"
        "    while tap.frames < 4: pass\n"
        "    print('go', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    if may_record():
        command = namespace.launcher(command)
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline() == "go\n"
    process.send_signal(number)
    # A signal that comes just before the read does not end that: communicate closes the input.
    process.communicate(timeout=30)
    assert process.returncode == -number
    capture = read_capture(tmp_path / "cut.pcapng")
    assert capture.truncated is None
    assert any(
        bytes(read_segments(capture).payload(i)) == b"kept" for i in range(len(read_segments(capture)))
    )


@pytest.mark.records
def test_a_tap_that_cannot_write_says_so(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RecordingError, match="cannot write"), Tap(tmp_path / "file" / "x.pcapng", 9898):
        pass


def test_an_interface_that_is_not_there():
    with pytest.raises(RecordingError, match="no-such-interface"):
        open_interface("no-such-interface")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2, "recordings": []}', '{"format": 1, "recordings": [1]}', "\0\0"]
)
def test_what_is_not_a_manifest_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(RecordingError, match="manifest"):
        read_manifest(tmp_path / MANIFEST)


def test_where_nothing_can_be_recorded_the_refusal_says_how_to_get_it(tmp_path, monkeypatch):
    """The refusals of a system that forbids both, put in by hand: this machine may allow them."""
    monkeypatch.setattr("lab.harness.session.may_record", lambda: "this user may not record on lo: refused")
    monkeypatch.setattr("lab.net.namespace.refusal", lambda: "unshare: Operation not permitted")
    with pytest.raises(RecordingRefused, match="namespaces"):
        record(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_scripts_are_sane(seed):
    script = make_script(seed)
    assert len(script.users) == 3 and len(script.lines) == 18
    assert len({text for _, text in script.lines if text not in ("yes", "no")}) == 15
    assert (
        sum(step.vote for step in script.steps) == 3
        and sum(step.action == "tell" for step in script.steps) == 2
    )
    assert [secret for secret in script.secrets if any(secret in text for _, text in script.lines)]
    present = []
    for step in script.steps:
        if step.action == "join":
            present.append(step.who)
        assert step.who in present
        if step.action == "leave":
            present.remove(step.who)
    assert present == []


def test_no_segment_holds_two_messages(recorded):
    """The player's waiting keeps one read one message, also under load: each payload is exactly one event."""
    folder, manifest = recorded
    payloads = Counter()
    for flow in find_flows(read_segments(folder / "plain.pcapng")):
        stream = flow.from_initiator
        payloads.update(stream.data[p.offset : p.offset + p.length].decode() for p in stream.pieces)
    expected = Counter(make_script(7).users)
    expected.update(text for _, text in make_script(7).lines)
    expected.update({"!ShowUserHasConnected": 3, "!GetAllActiveUsers": 3, "!Exit": 3})
    assert payloads == expected
    assert json.loads((folder / MANIFEST).read_text())["recordings"][0]["frames"] > 100


@pytest.mark.records
def test_a_burst_loses_no_frame(tmp_path):
    """Two hundred short exchanges as fast as they go: the recorder's buffer holds what its thread has not fetched."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with Tap(tmp_path / "burst.pcapng", listener.getsockname()[1]) as tap:
            with socket.create_connection(listener.getsockname()) as ours, listener.accept()[0] as theirs:
                for one in (ours, theirs):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(200):
                    ours.sendall(b"x" * 1000)
                    theirs.recv(1000, socket.MSG_WAITALL)
                    theirs.sendall(b"y")
                    ours.recv(1)
    assert tap.frames >= 400
    [flow] = find_flows(read_segments(tmp_path / "burst.pcapng"))
    assert (len(flow.from_initiator), len(flow.from_responder)) == (200_000, 200)
    assert not flow.from_initiator.gaps


@pytest.mark.records
def test_the_reports_port_is_taken_by_somebody_else(tmp_path):
    try:
        taken = socket.create_server(("127.0.0.1", 9898))
    except OSError:
        taken = None  # somebody has it already: as good
    try:
        [entry] = record(tmp_path, [Variant()], say=lambda line: None)["recordings"]
    finally:
        if taken:
            taken.close()
    assert entry["server"]["port"] != 9898 and entry["frames"] > 100
