"""The attacks: each is played once and read off its recordings, with the twin that fails; --all plays each 20 times."""

import json
import pickle
import pickletools
from pathlib import Path

import pytest

from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import ACK, RST, read_segments
from lab.harness.lessons import record_lessons
from lab.harness.manifest import read_manifest, sha256_of
from lab.harness.scenarios import scenarios
from lab.harness.scenarios.pickled_list import instructions
from tests.support import needs_namespaces

pytestmark = needs_namespaces
TIMES = 6


def record(folder: Path, name: str) -> None:
    record_lessons(folder, [name], say=lambda line: None)


@pytest.fixture
def played(once):
    """``played(name)``: the folder of a scenario that has been played, and its entry in the manifest."""

    def folder_of(name: str) -> tuple[Path, dict]:
        folder = once(f"attack-{name}", lambda folder: record(folder, name))
        [entry] = read_manifest(folder / "manifest.json")["recordings"]
        return folder, entry

    return folder_of


def flows_at(folder: Path, file: str):
    return find_flows(read_segments(folder / file))


def row_of(flow, frame: int) -> int:
    [row] = [row for row in flow.rows.tolist() if flow.segments.number[row] == frame]
    return row


# reset


def test_reset_ends_what_mallory_sees_and_nothing_that_she_guesses(played):
    folder, entry = played("reset")
    assert entry["ended"] == {"plaintext": True, "TLS": True, "guarded switch": False}
    plain, tls, guarded = flows_at(folder, "reset.pcapng")
    forged = entry["forged"]
    for flow, frame in zip((plain, tls), forged, strict=True):
        segments, row = flow.segments, row_of(flow, frame)
        assert segments.flags[row] == RST and segments.payload_length[row] == 0
        assert segments.endpoint(row)[0] == "10.27.27.131", "in the server's name"
        sent = [one for one in flow.from_responder.rows.tolist() if one < row]
        assert (
            segments.seq[row]
            == (int(segments.seq[sent[-1]]) + int(segments.payload_length[sent[-1]])) % 2**32
        )
        assert flow.closing.startswith("reset: RST from 10.27.27.131")
    assert not set(guarded.segments.number[guarded.rows].tolist()) & set(forged)
    assert guarded.from_responder.data.endswith(b"still here") and guarded.closing.startswith("closed")


def test_reset_is_seen_at_the_switch_and_never_at_the_server(played):
    folder, entry = played("reset")
    server, switch, _ = entry["views"]
    assert (server["place"], server["forged"], switch["place"]) == ("server", [], "switch")
    capture = read_segments(folder / switch["file"]).capture
    ports = [capture.interfaces[capture.interface[frame - 1]].name for frame in switch["forged"]]
    assert ports == ["switch/Mallory", "switch/PC1"] * 2 + ["switch/Mallory"], (
        "the guarded port keeps the third"
    )
    assert all(sha256_of(folder / view["file"]) == view["sha256"] for view in entry["views"])


def test_a_guess_in_the_window_draws_one_challenge_ack_and_the_connection_lives_on(played):
    folder, entry = played("reset")
    guesses = entry["guesses"]
    assert (
        guesses["step"] * (guesses["most"] - 1)
        < guesses["exact"]
        == 2**32
        <= guesses["step"] * guesses["most"]
    )
    assert 1 <= guesses["until_challenge_ack"] <= guesses["most"]
    [flow] = flows_at(folder, "reset-guessed.pcapng")
    assert flow.closing.startswith("closed") and flow.from_initiator.data == b"hellostill here"
    segments = flow.segments
    hello, later = [row for row in flow.from_initiator.rows.tolist() if segments.payload_length[row]]
    between = [row for row in flow.from_responder.rows.tolist() if hello < row < later]
    assert [int(segments.flags[row]) for row in between] == [ACK, ACK], "of hello, and the challenge"
    assert len({(int(segments.seq[row]), int(segments.ack[row])) for row in between}) == 1, (
        "it repeats its numbers"
    )
    assert (
        segments.window[between[0]] > guesses["step"] or segments.scaled_window[between[0]] > guesses["step"]
    )


# inject


def test_inject_says_what_nobody_said_and_swallows_as_many_bytes(played):
    folder, entry = played("inject")
    welcome, injected, rest = entry["heard"]
    real = "".join(entry["said"])
    assert injected == entry["injected"] == "<Brandon> I quit" and welcome + injected + rest == "".join(
        entry["heard"]
    )
    assert rest == real[len(injected) :] and len(entry["said"][0]) < len(injected)
    at_john = flows_at(folder, "inject.pcapng")[0]
    [row] = [row_of(at_john, frame) for frame in entry["forged"][:1]]
    segments = at_john.segments
    assert segments.endpoint(row)[0] == "10.27.27.131" and bytes(segments.payload(row)) == injected.encode()
    at_server = flows_at(folder, "inject-server.pcapng")[0]
    assert at_server.from_responder.data == ("welcome" + real).encode(), "the server never said it"
    end = len("welcome") + 1
    beyond = [
        row for row in at_server.from_initiator.rows.tolist() if at_server.segments.relative_ack[row] > end
    ]
    first_real = next(
        row for row in at_server.from_responder.rows.tolist() if at_server.segments.relative_seq[row] == end
    )
    assert beyond[0] < first_real, "an ACK of bytes that the server has not sent"
    events = [event.name for event in at_server.events]
    assert any("retransmission" in name for name in events), "so the real text is sent again"


def test_an_ack_storm_needs_the_limit_to_be_off(played):
    folder, entry = played("inject")
    storms = entry["storms"]
    assert storms["500"] <= 12 < 100 <= storms["0"] <= 5000
    _, wild, calm = flows_at(folder, "inject.pcapng")[:3]
    numbers = [
        [
            (int(flow.segments.seq[row]), int(flow.segments.ack[row]))
            for row in flow.rows
            if is_empty_ack(flow, row)
        ]
        for flow in (wild, calm)
    ]
    assert len(numbers[1]) <= 20 < len(numbers[0])
    assert len(set(numbers[0][-50:])) == 2, "each end repeats itself"


def is_empty_ack(flow, row: int) -> bool:
    return bool(flow.segments.flags[row] == ACK and not flow.segments.payload_length[row])


def test_over_tls_the_same_line_ends_the_session_and_says_nothing(played):
    _, entry = played("inject")
    assert "bad record mac" in entry["refusal"] and "received" not in entry["refusal"]


# arp


def test_arp_leads_the_room_through_mallory_who_changes_a_word(played):
    folder, entry = played("arp")
    said, mallory = entry["said"], "02:00:00:00:00:66"
    brandon, john = entry["heard"]["attack"]
    assert brandon == f"<Brandon> {said}" and john == brandon.replace("noon", "nine"), "he sees what he said"
    assert entry["read"] == [said, john]
    before, during = entry["tables"]["before"], entry["tables"]["attack"]
    assert (during["PC1"], during["server"]) == (mallory, mallory) and mallory not in before["switch"]
    assert during["switch"] == before["switch"] | {mallory: "Mallory"}, "the switch was never deceived"
    at_brandon, at_server = (flows_at(folder, file)[0] for file in ("arp.pcapng", entry["views"][0]["file"]))
    assert at_brandon.from_initiator.data.count(b"noon") == 3
    assert (
        at_server.from_initiator.data.count(b"noon") == 2
        and at_server.from_initiator.data.count(b"nine") == 1
    )
    assert len(at_brandon.from_initiator.data) == len(at_server.from_initiator.data), "so TCP sees nothing"


@pytest.mark.parametrize("twin", ["guarded switch", "static entries"])
def test_arp_is_stopped_by_the_switch_and_by_static_entries(played, twin):
    _, entry = played("arp")
    assert entry["heard"][twin] == [f"<Brandon> {entry['said']}"] * 2
    for host in ("PC1", "server"):
        assert entry["tables"][twin][host] == entry["tables"]["before"][host]


# mitm


def test_mitm_reads_all_of_a_client_that_checks_nothing_and_nothing_of_one_that_does(played):
    folder, entry = played("mitm")
    wrong_authority, wrong_name, unchecked, right = entry["meetings"]
    assert "not trusted" in wrong_authority["refusal"] and wrong_authority["heard"] == {"Mallory": ""}
    assert "Hostname mismatch" in wrong_name["refusal"] and wrong_name["heard"] == {"Mallory": ""}
    secret = entry["secret"]
    assert not unchecked["checked"] and unchecked["refusal"] is None
    assert unchecked["heard"] == {"Mallory": secret, "server": secret}, "and neither end notices"
    assert right["heard"] == {"server": secret}
    flows = flows_at(folder, "mitm.pcapng")
    answers = [{frame in entry["forged"] for frame in frames_from(flow, "10.27.27.131")} for flow in flows]
    assert answers == [{True}, {True}, {True}, {False}], "the first three are hers, by the server's address"
    assert not any(secret.encode() in flow.from_initiator.data for flow in flows)


def frames_from(flow, address: str) -> list[int]:
    segments = flow.segments
    return [int(segments.number[row]) for row in flow.rows.tolist() if segments.endpoint(row)[0] == address]


# downgrade


def test_downgrade_reads_what_a_client_says_that_falls_back(played):
    folder, entry = played("downgrade")
    fallen = entry["outcomes"]["if possible"]
    assert (
        fallen["read"] == ["Brandon", entry["secret"]] and fallen["answer"] == f"<Brandon> {entry['secret']}"
    )
    hello, plain = flows_at(folder, "downgrade.pcapng")[:2]
    assert hello.from_initiator.data[:1] == b"\x16" and hello.from_responder.data.startswith(
        b"*** This server"
    )
    assert plain.from_initiator.data == b"Brandon" + entry["secret"].encode()
    assert hello.rows[0] < plain.rows[0]


def test_downgrade_gets_nowhere_with_a_client_or_a_server_that_insists(played):
    folder, entry = played("downgrade")
    server, client = (
        entry["outcomes"][f"{who} with --{how}"] for who, how in (("server", "tls-only"), ("client", "tls"))
    )
    assert (
        server["read"] == ["Brandon"] and server["answer"] == "*** Refused: this server speaks TLS only ***"
    )
    assert "does not speak TLS on this port" in client["refusal"]
    flows = flows_at(folder, "downgrade.pcapng")
    assert len(flows) == 5, "two connections of those that fall back, one of the client that does not"
    said = [flow for flow in flows if entry["secret"].encode() in flow.from_initiator.data]
    assert [flow.number for flow in said] == [flows[1].number]


# spoof


def test_spoof_is_believed_on_the_report_wire(played):
    _, entry = played("spoof")
    seen, tries = entry["seen"]["report"], entry["tries"]
    assert seen == {which: f"<{user}> {text}" for which, (user, text) in tries.items()}
    assert seen["a line in a line"].splitlines()[1] == "<John> I quit"
    assert entry["forged"] == [], "the frames are honest"


def test_spoof_is_refused_on_the_json_wire_but_for_another_alphabet(played):
    _, entry = played("spoof")
    seen = {which: json.loads(line) for which, line in entry["seen"]["json"].items()}
    looks_the_same = seen.pop("another alphabet")
    assert looks_the_same["event"] == "said" and looks_the_same["name"] == "Br\u0430ndon" != "Brandon"
    assert {which: one["reason"] for which, one in seen.items()} == {
        "a line of the server's": "name_imitates",
        "a name that is taken": "name_taken",
        "the same letters in another form": "name_taken",
        "a line in a line": "bad_text",
    }
    assert all(one["event"] == "error" and one["text"] for one in seen.values()), "with the rule, in words"


# flood


def test_flood_keeps_brandon_out_and_with_syn_cookies_it_does_not(played):
    folder, entry = played("flood")
    assert entry["connected"] == {"no cookies": False, "cookies": True}
    flows = flows_at(folder, "flood.pcapng")
    hers = [flow for flow in flows if flow.initiator.address == entry["address"]]
    assert len(hers) == 2 * entry["syns"]
    answered = [bool(frames_from(flow, "10.27.27.131")) for flow in hers]
    held = sum(answered[: entry["syns"]])
    assert 1 <= held <= entry["queue"], "no more than the queue holds"
    assert all(answered[entry["syns"] :]), "with cookies the server answers each"
    out, inside = [flow for flow in flows if flow.initiator.address == "10.27.27.206"]
    assert len(out.rows) >= 2 and not frames_from(out, "10.27.27.131"), "SYNs, and no answer"
    assert inside.handshake and inside.handshake.syn_retransmissions == 0


# pickled-list


def test_pickled_list_is_a_program_that_the_reports_client_runs_and_ours_does_not(played):
    folder, entry = played("pickled-list")
    assert entry["written"] == {"note.txt": "This could have been any program."}
    bell, shown, *_ = entry["printed"]
    assert (bell, shown) == ("\a", "['Brandon', 'John', None]"), "and the user sees a list"
    at_brandon, at_john = (
        flows_at(folder, file)[0] for file in ("pickled-list.pcapng", "pickled-list-PC2.pcapng")
    )
    data = bytes.fromhex(entry["list"])
    assert at_brandon.from_responder.data == at_john.from_responder.data == data, "both were sent the same"
    assert entry["shown"] == data.decode(errors="replace")
    steps = entry["instructions"]
    assert [step["name"] for step in steps] == [opcode.name for opcode, _, _ in pickletools.genops(data)]
    refused = [step["name"] for step in steps if step["refused"]]
    assert refused == ["STACK_GLOBAL", "TUPLE1", "REDUCE"], "import, arguments, call"
    assert entry["program"] in [step["argument"] for step in steps]
    assert not any(step["refused"] for step in instructions(pickle.dumps(["Brandon", "John"], protocol=4)))


# Every time


def story(entry: dict) -> dict:
    """What must be the same each time: all but numbers of frames, hashes and counts."""
    chance = ("sha256", "frames", "forged", "views", "guesses", "storms")
    return {key: value for key, value in entry.items() if key not in chance} | {
        "forged at": [(view["place"], bool(view["forged"])) for view in entry["views"]]
    }


@pytest.mark.maintainers
@pytest.mark.timeout(600)  # each is recorded many times
@pytest.mark.parametrize("name", [name for name, one in scenarios().items() if one.notebook == "10"])
def test_it_gives_the_same_story_each_time(name, tmp_path):
    stories = []
    for _ in range(TIMES):
        record(tmp_path, name)
        [entry] = read_manifest(tmp_path / "manifest.json")["recordings"]
        stories.append(story(entry))
        assert stories[-1] == stories[0]
