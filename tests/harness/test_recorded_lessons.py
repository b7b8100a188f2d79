"""The lessons that ship, and how they are made. What each one teaches is pinned in its notebook, shipped and afresh."""

import hashlib
import json
import re
import shutil
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from lab import capture
from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.flows import find_flow, find_flows
from lab.dissect.tcp.segments import read_segments
from lab.harness.attack_lan import MALLORY
from lab.harness.bare_socket import BareSocket, BareSocketError
from lab.harness.forged_frames import frames_in_anothers_name
from lab.harness.lessons import record_lessons
from lab.harness.manifest import read_manifest
from lab.harness.scenarios import names, scenarios
from lab.harness.tap import RecordingError, RecordingRefused
from lab.net.lan import Lan
from lab.net.plan import LanRefused, host
from tests.support import ROOT, as_typed, copy_kit, needs_namespaces

SHIPPED = ROOT / "captures" / "lessons"
LESSONS = scenarios()
TRUTH = read_manifest(SHIPPED / "manifest.json")["recordings"]
ATTACKS = [entry for entry in TRUTH if "views" in entry]
RECIPE = re.compile(r"^### Add a scenario$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)


# What ships


@pytest.mark.parametrize("name", [Path(entry["file"]).stem for entry in TRUTH])
def test_a_shipped_lesson_is_the_one_its_manifest_speaks_of(name):
    [entry] = [entry for entry in TRUTH if entry["file"] == f"{name}.pcapng"]
    path = SHIPPED / entry["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    assert entry["about"] == LESSONS[name].about
    assert path.stat().st_size < 250_000
    if "views" in entry:
        return  # what Mallory does to connections is read off below
    flow = find_flows(read_segments(path))[-1]
    assert flow.handshake and flow.closing.startswith("closed")


@pytest.mark.parametrize("entry", ATTACKS, ids=lambda entry: entry["scenario"])
def test_a_shipped_attack_is_seen_from_several_places_and_knows_what_was_forged(entry):
    [card] = MALLORY.nics
    mac, address = bytes.fromhex(card.mac.replace(":", "")), card.addresses[0].removesuffix("/24")
    views = [entry, *entry["views"]]
    assert entry["forger"] == MALLORY.name and len({view["place"] for view in views}) == 3
    for view in views:
        path = SHIPPED / view["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == view["sha256"]
        assert len(read_capture(path)) == view["frames"] and path.stat().st_size < 250_000
        assert frames_in_anothers_name(path, mac, address) == view["forged"]


def test_every_file_of_scenarios_holds_the_scenario_that_it_is_named_after():
    assert sorted(LESSONS) == names()


def test_the_shipped_connection_is_refused_and_then_accepted():
    refused, accepted = find_flows(read_segments(SHIPPED / "refused-then-accepted.pcapng"))
    assert refused.initiator == accepted.initiator and refused.initiator.port == 50_000
    assert not refused.handshake and refused.closing.startswith("reset: RST from 10.27.27.131:9898")
    assert (accepted.from_initiator.data, accepted.from_responder.data) == (b"hello", b"welcome")
    assert accepted.events[0].name == "reused_ports"


# How they are made


@needs_namespaces
def test_a_lesson_comes_out_the_same_twice(tmp_path):
    stories = []
    for run in ("one", "two"):
        manifest = record_lessons(tmp_path / run, ["glued"], say=lambda line: None)
        assert manifest == json.loads((tmp_path / run / "manifest.json").read_text(encoding="utf-8"))
        flow = find_flow(read_segments(tmp_path / run / "glued.pcapng"), 0)
        stories.append([piece.length for piece in flow.from_initiator.pieces])
    assert stories[0] == stories[1] == [7, 5, 15, 1201, 5]


@needs_namespaces
def test_the_receiver_answers_only_when_it_has_heard_everything(tmp_path):
    record_lessons(tmp_path, ["narrow-cable"], say=lambda line: None)
    segments = read_segments(tmp_path / "narrow-cable.pcapng")
    answer = next(row for row in range(len(segments)) if segments.payload(row) == b"got it")
    assert segments.relative_ack[answer] == 1 + 200_000


@needs_namespaces
def test_one_lesson_more_keeps_the_others(tmp_path):
    for entry in read_manifest(SHIPPED / "manifest.json")["recordings"]:
        shutil.copy(SHIPPED / entry["file"], tmp_path)
    shutil.copy(SHIPPED / "manifest.json", tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    manifest = record_lessons(tmp_path, ["refused-then-accepted"], say=lambda line: None)
    shipped = [entry["file"] for entry in read_manifest(SHIPPED / "manifest.json")["recordings"]]
    assert [entry["file"] for entry in manifest["recordings"]] == shipped
    changed = {file.name for file in tmp_path.iterdir() if file.read_bytes() != before[file.name]}
    assert changed == {"refused-then-accepted.pcapng", "manifest.json"}
    for entry in manifest["recordings"]:
        assert hashlib.sha256((tmp_path / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_a_lesson_that_there_is_not():
    with pytest.raises(KeyError):
        record_lessons("nowhere", ["sunshine"])


def test_where_namespaces_are_refused_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    def refuse(path):
        raise LanRefused("not permitted")

    monkeypatch.setitem(LESSONS, "glued", replace(LESSONS["glued"], play=refuse))
    with pytest.raises(RecordingRefused, match=": "):
        record_lessons(tmp_path, ["glued"], say=lambda line: None)
    assert capture.main(["--scenario", "glued", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("lab capture: ")
    assert not (tmp_path / "manifest.json").exists(), "no truth without a recording"


def test_a_lesson_that_breaks_off_says_so(tmp_path, monkeypatch):
    def fail(path):
        raise BareSocketError("PC1 cannot connect: Connection refused")

    monkeypatch.setitem(LESSONS, "glued", replace(LESSONS["glued"], play=fail))
    with pytest.raises(RecordingError, match="PC1 cannot connect"):
        record_lessons(tmp_path, ["glued"], say=lambda line: None)


@pytest.mark.maintainers
@needs_namespaces
def test_a_scenario_is_added_by_the_recipe_word_for_word(tmp_path):
    kit = copy_kit(tmp_path)
    recipe = RECIPE.search((kit / "lab" / "README.md").read_text(encoding="utf-8"))[1]
    code, commands = (
        textwrap.dedent(re.search(rf"^ *```{language}\n(.*?)^ *```", recipe, re.MULTILINE | re.DOTALL)[1])
        for language in ("python", "sh")
    )
    [file] = re.findall(r"`(lab/harness/scenarios/\w+\.py)`", recipe)
    (kit / file).write_text(code, encoding="utf-8")
    printed = ""
    for command in commands.strip().splitlines():
        done = subprocess.run(as_typed(command), cwd=kit, capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stderr) == (0, ""), command
        printed += done.stdout
    [manifest] = (kit / "captures" / "mine").glob("*/manifest.json")
    [entry] = read_manifest(manifest)["recordings"]
    assert entry["about"] in code and entry["about"] in printed
    handshake = find_flow(read_segments(manifest.parent / entry["file"]), 0).handshake
    assert handshake.syn_retransmissions == 1


# Bare sockets


@pytest.fixture(scope="module")
def lan():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan:
        yield lan


@needs_namespaces
def test_two_bare_sockets_talk(lan):
    with BareSocket(lan["A"]) as a, BareSocket(lan["B"]) as b:
        a.listen()
        b.connect("10.0.0.1")
        a.accept()
        b.say(b"one", b"two")
        assert a.hear(until=b"two") == b"onetwo"
        a.say(b"three")
        a.leave()
        assert b.hear_to_the_end() == b"three"
        b.leave()
        b.close()


@needs_namespaces
def test_a_bare_socket_closes_one_direction_and_waits_for_the_other(lan):
    with BareSocket(lan["A"]) as a, BareSocket(lan["B"]) as b:
        a.listen()
        b.connect("10.0.0.1")
        a.accept()
        b.half_close()
        assert a.hear_to_the_end() == b""
        a.say(b"still here")
        assert b.hear(until=b"still here") == b"still here"
        lan.settle()
        lan.order("drop the next three ACKs from B")  # so the FIN is acknowledged a second late
        a.leave(wait=True)
        LAST_ACK = "09"  # a state in /proc/net/tcp (proc(5))
        table = lan["A"].run(["cat", "/proc/net/tcp"]).stdout.splitlines()[1:]
        assert LAST_ACK not in [line.split()[3] for line in table]
        b.leave()


@needs_namespaces
def test_a_bare_socket_says_what_it_cannot_do(lan):
    with BareSocket(lan["A"]) as a, BareSocket(lan["B"]) as b:
        with pytest.raises(BareSocketError, match="B cannot connect: Connection refused"):
            b.connect("10.0.0.1")
        a.listen()
        b.connect("10.0.0.1")
        a.accept()
        b.say(b"something else")
        with pytest.raises(
            BareSocketError, match="A cannot hear: it has heard b'something else', and not b'hello'"
        ):
            a.hear(until=b"hello", wait_s=0.1)
        b.leave()
        with pytest.raises(BareSocketError, match="never said b'hello'"):
            a.hear(until=b"hello")
        a.close()
        with pytest.raises(BareSocketError, match="A cannot say"):
            a.say(b"hello")


@pytest.mark.maintainers
@needs_namespaces
def test_every_file_of_an_attack_is_named(tmp_path, capsys):
    assert capture.main(["--scenario", "reset", "--out", str(tmp_path)]) == 0
    named = [Path(line.split(": ")[0]) for line in capsys.readouterr().out.splitlines() if " frames" in line]
    assert sorted(named) == sorted(tmp_path.glob("*.pcapng"))
