"""What the eavesdropper claims, that it really attacks, and that the score cannot be fooled."""

import pytest

from lab.dissect.files.capture_file import CaptureError, CaptureWriter, parse_capture, read_capture
from lab.exposure import Intercept, eavesdrop, guess_votes, length_leak, score
from lab.exposure.leaks import time_leak
from lab.exposure.plaintext import Read, add_leaks
from lab.harness.manifest import MANIFEST, read_manifest
from lab.harness.script import make_script
from lab.harness.session import record
from lab.harness.variant import Variant
from tests.chat.rig import BOUND_S, say
from tests.exposure.leaky_sessions import Case, record_all
from tests.exposure.scores import shares
from tests.support import CHAT, ROOT

BARE = [Variant(), Variant(wire="json")]
DISGUISED = [Variant(wire=wire, disguise=kind) for wire in ("report", "json") for kind in ("base64", "xor")]
TLS = [Variant(tls, wire) for wire in ("report", "json") for tls in ("1.2", "1.3")]
PADDED = Variant("1.3", "json", 128)
EVERY = [*BARE, *DISGUISED, *TLS, PADDED]


def heard_in(folder, manifest) -> dict:
    """{variant: (what the eavesdropper has, the manifest's entry)}."""
    recordings = zip(EVERY, manifest["recordings"], strict=True)
    return {variant: (eavesdrop(folder / entry["file"]), entry) for variant, entry in recordings}


@pytest.fixture(scope="module", params=[0, 1])
def sessions(request, once):
    """Every variant of one seed."""
    folder = once(
        f"exposure-{request.param}",
        lambda folder: record(folder, EVERY, seed=request.param, say=lambda line: None),
    )
    return heard_in(folder, read_manifest(folder / MANIFEST))


def everything(total) -> tuple[int, int, int]:
    return total, 0, total


@pytest.mark.parametrize("variant", [*BARE, *DISGUISED], ids=lambda variant: variant.name)
def test_plaintext_and_its_disguises_give_everything_away(sessions, variant):
    intercept, entry = sessions[variant]
    lines = 18 if variant.wire == "report" else 20
    assert shares(sessions[variant]) == {
        "identities": everything(3),
        "content": everything(lines - 1),  # the other one is a secret
        "secrets": everything(len(entry["secrets"])),
        "presence": everything(6),
        "public": everything(18),
        "private": everything(lines - 18),
        "times": everything(lines + 3),
        "lengths": everything(lines),
        "hosts": everything(4),
        "TLS names": everything(0),
        "inferred": everything(7),  # three votes, three lengths of names, the wire
    }
    assert intercept.wire == variant.wire
    assert intercept.read_bytes == intercept.carried_bytes > 0


def test_the_disguises_are_named_with_the_key_that_was_used(sessions):
    for variant in DISGUISED:
        intercept, entry = sessions[variant]
        assert intercept.disguise == (
            "base64" if variant.disguise == "base64" else f"XOR with the key 0x{entry['key']}"
        )
    assert all(sessions[variant][0].disguise is None for variant in BARE)


@pytest.mark.parametrize("variant", [*TLS, PADDED], ids=lambda variant: variant.name)
def test_tls_hides_what_is_said_and_not_who_is_there(sessions, variant):
    intercept, entry = sessions[variant]
    lines = 18 if variant.wire == "report" else 20
    got = shares(sessions[variant])
    for kind in ("identities", "content", "secrets"):
        assert got[kind][:2] == (0, 0) and got[kind][2] > 0
    assert got["presence"] == everything(6)
    assert got["public"] == everything(18)  # by the fan-out alone
    assert got["private"] == everything(lines - 18)
    assert got["times"] == everything(lines + 3) and got["hosts"] == everything(4)
    assert got["lengths"] == (everything(lines) if variant != PADDED else (0, 0, lines))
    assert got["inferred"] == (
        everything(7) if variant != PADDED else (1, 0, 7)
    )  # of a padded one the wire alone
    scores = {one.kind: one for one in score(intercept, entry)}
    assert scores["public"].skill is None and scores["private"].skill == (1 if lines > 18 else None)
    assert scores["inferred"].votes == ((0 if variant == PADDED else 3), 3)
    assert intercept.tls_version == f"TLS {variant.tls}"
    assert intercept.server_name == entry["server_name"] == "chat.lab.test"
    assert intercept.read_bytes == 0
    certificate_in_the_open = variant.tls == "1.2"  # TLS 1.3 encrypts it
    assert (intercept.certificate_names == tuple(entry["certificate_names"])) == certificate_in_the_open
    assert got["TLS names"] == (5 if certificate_in_the_open else 2, 0, 5)


@pytest.mark.parametrize("wire", ["report", "json"])
def test_the_variants_of_a_wire_are_scored_out_of_the_same(sessions, wire):
    totals = {
        tuple(total for kind, (_, _, total) in shares(session).items() if kind != "TLS names")
        for variant, session in sessions.items()
        if variant.wire == wire
    }
    assert len(totals) == 1


@pytest.mark.parametrize("variant", TLS, ids=lambda variant: variant.name)
def test_without_padding_the_length_of_every_line_is_inferred_right(sessions, variant):
    intercept, entry = sessions[variant]
    true = [len(event["text"].encode()) for event in entry["events"] if event["action"] in ("say", "tell")]
    assert [message.text_length for message in intercept.said] == true


def test_padding_hides_the_lengths_and_costs_bytes(sessions):
    intercept, _ = sessions[PADDED]
    bare, _ = sessions[Variant("1.3", "json")]
    assert intercept.padding == 128 and bare.padding == 0
    assert all(message.text_length is None for message in intercept.said)
    leak, leak_padded = (length_leak(one.line_lengths) for one in (bare, intercept))
    assert leak.low > 2 and leak_padded.bits == 0 and leak_padded.high == pytest.approx(0.58, abs=0.01)
    assert intercept.carried_bytes > bare.carried_bytes


@pytest.mark.parametrize("variant", EVERY, ids=lambda variant: variant.name)
def test_who_said_yes_and_who_said_no(sessions, variant):
    intercept, entry = sessions[variant]
    endpoint = {user["name"]: f"{user['address']}:{user['port']}" for user in entry["users"]}
    votes = {endpoint[event["who"]]: event["text"] for event in entry["events"] if event.get("vote")}
    times = [event["time_ns"] for event in entry["events"] if event.get("vote")]
    following = min(event["time_ns"] for event in entry["events"] if event["time_ns"] > times[-1])
    guessed = guess_votes(intercept, times[0], following - 1)
    assert len(votes) == 3
    if variant == PADDED:
        assert guessed == dict.fromkeys(votes)  # yes and no look the same
    else:
        assert guessed == votes


def test_times_leak_to_a_fraction_of_the_session(sessions):
    intercept, entry = sessions[Variant("1.3")]
    sent = [event["time_ns"] for event in entry["events"] if event["action"] in ("say", "tell")]
    leak = time_leak([message.time_ns for message in intercept.said], sent)
    assert leak.count == 18 and leak.low <= leak.bits <= leak.high and leak.bits > 0


@pytest.mark.maintainers
@pytest.mark.records
@pytest.mark.parametrize(
    "first", range(2, 100, 28)
)  # fourteen in one namespace: it costs as much as a session
def test_all_of_this_for_many_more_conversations(first, tmp_path):
    for seed in range(first, first + 7):
        folder = tmp_path / str(seed)
        all_of_this(heard_in(folder, record(folder, EVERY, seed=seed, say=lambda line: None)))


def all_of_this(sessions) -> None:
    for check, variants in (
        (test_plaintext_and_its_disguises_give_everything_away, [*BARE, *DISGUISED]),
        (test_tls_hides_what_is_said_and_not_who_is_there, [*TLS, PADDED]),
        (test_without_padding_the_length_of_every_line_is_inferred_right, TLS),
        (test_who_said_yes_and_who_said_no, EVERY),
    ):
        for variant in variants:
            check(sessions, variant)
    test_the_disguises_are_named_with_the_key_that_was_used(sessions)
    test_padding_hides_the_lengths_and_costs_bytes(sessions)
    test_times_leak_to_a_fraction_of_the_session(sessions)


SAID = [step.text for step in make_script(0).steps if step.action == "say"]
NAMES = ["Brandon", "John", "Alice"]
LEAKY = [
    *(Case(f"one line in {share}", 1, (*SAID[::share], *NAMES)) for share in (10, 3, 1)),
    Case("no names", 1, tuple(SAID[::3])),
    *(Case(f"no leak {seed}", seed) for seed in range(4)),
    Case("long key", key_bytes=40),
]


@pytest.fixture(scope="session")
def leaky(once):
    """``leaky(name)``: what the eavesdropper has of the session of that case, and the manifest's entry."""
    folder = once("leaky", lambda folder: record_all(folder, LEAKY))

    def session(name):
        [entry] = read_manifest(folder / name / MANIFEST)["recordings"]
        return eavesdrop(folder / name / entry["file"]), entry

    return session


@pytest.mark.parametrize(("share", "right", "names"), [(10, 2, 1), (3, 5, 3), (1, 15, 3)])
def test_a_cipher_that_leaks_one_message_in_ten_scores_in_between(leaky, share, right, names):
    """Recorded: the names go in the clear, and one line in so many.

    (The votes, "yes" and "no", are too short to be told from noise in the midst of noise, so they are not claimed; nor is
    a short name where nothing longer stands in the clear beside it.)
    """
    intercept, entry = session = leaky(f"one line in {share}")
    got = shares(session)
    assert (got["content"][1:], got["secrets"][1:]) == ((0, 17), (0, 1))
    assert got["content"][0] + got["secrets"][0] == right  # one of the lines is a secret
    assert got["identities"] == (names, 0, 3)
    assert got["presence"] == everything(6)
    assert got["times"][1] <= len(NAMES)  # (how many lines each user sent is claimed too low)
    assert 0 < intercept.read_bytes < intercept.carried_bytes / 2


@pytest.mark.parametrize("seed", range(4))
def test_and_its_twin_that_leaks_nothing_gives_nothing(leaky, seed):
    intercept, entry = session = leaky(f"no leak {seed}")
    got = shares(session)
    assert got["content"][:2] == got["identities"][:2] == got["secrets"][:2] == (0, 0)
    assert intercept.read_bytes == 0 and not intercept.said


def test_a_line_whose_speaker_is_hidden_is_read_but_claimed_of_nobody(leaky):
    intercept, entry = session = leaky("no names")
    assert len(intercept.lines) == 5 and all(who is None for who, _ in intercept.lines)
    assert shares(session)["content"] == (0, 0, 17)


def test_what_stands_on_both_sides_of_something_hidden_is_not_put_together():
    noise = bytes(range(128, 148))
    pieces = [
        noise,
        b'{"event":"say","text":"I ',
        noise,
        b'love spam"}\n',
        b'{"event":"say","text":"eggs"}\n',
    ]
    found = Intercept()
    add_leaks("somebody", [Read(n, n, piece, piece) for n, piece in enumerate(pieces)], found)
    assert [text for _, text in found.lines] == ["eggs"] and found.wire == "json"


def test_keys_in_the_file_do_not_help_the_eavesdropper(recorded, tmp_path):
    folder, manifest = recorded
    entry = manifest["recordings"][2]
    from lab.dissect.files.capture_file import read_capture

    capture = read_capture(folder / entry["file"])
    with CaptureWriter(tmp_path / "with-keys.pcapng") as writer:
        writer.add_interface("lo", link_type=capture.link_type(1))
        writer.add_secrets((folder / entry["key_log"]).read_bytes())
        for number in range(1, len(capture) + 1):
            writer.write(bytes(capture.frame(number)), int(capture.time_ns[number - 1]))
    assert shares((eavesdrop(tmp_path / "with-keys.pcapng"), entry)) == shares(
        (eavesdrop(folder / entry["file"]), entry)
    )


def test_ciphertext_that_is_not_broken_is_not_claimed(leaky):
    """A key too long for the attack: nothing is made up, and not a byte counts as read."""
    intercept, entry = session = leaky("long key")
    assert len(entry["key"]) == 2 * 40 and intercept.carried_bytes > 1000 and intercept.read_bytes == 0
    got = shares(session)
    assert got["content"][:2] == got["identities"][:2] == got["secrets"][:2] == (0, 0)
    assert intercept.disguise.startswith("unknown")


@pytest.mark.records
def test_both_wires_in_one_room_over_tls(tmp_path):
    """The wires are told apart flow by flow, whoever comes first."""
    from lab.chat.client import ChatClient
    from lab.chat.login import Login
    from lab.chat.server import ChatServer
    from lab.chat.tls import client_context, server_context
    from lab.harness import certificates
    from lab.harness.tap import Tap

    made = certificates.issue(tmp_path)
    with ChatServer(
        port=0, tls=server_context(made.certificate, made.key), console=lambda line: None
    ) as server:
        with Tap(tmp_path / "both.pcapng", server.port):
            one, other = (
                ChatClient(Login(name, "127.0.0.1", server.port, client_context(made.ca, "1.3"), wire))
                for name, wire in (("Ann", "json"), ("Bob", "report"))
            )
            one.connect()
            other.connect()
            other.announce()
            other.answered.wait(BOUND_S)
            other.ask_users()
            other.answered.wait(BOUND_S)
            say(one, "from lines")
            say(other, "from report")
            for client in (other, one):
                client.leave()
    intercept = eavesdrop(tmp_path / "both.pcapng")
    assert sorted(message.text_length for message in intercept.said) == sorted(
        map(len, ("from lines", "from report"))
    )


@pytest.mark.parametrize("name", ["tls13", "json-tls12", "json-tls13-padded"])
def test_the_last_message_of_an_open_connection_is_not_taken_for_a_farewell(name):
    """Brandon's first line, "hello", is as long as the report's command to leave."""
    path = CHAT / f"{name}.pcapng"
    first = eavesdrop(path).said[0]
    capture = read_capture(path)
    so_far = bytes(capture.raw[: int(capture.offset[first.frame])])  # into the header of the next frame
    (found,) = eavesdrop(parse_capture(so_far)).said
    assert (found.frame, found.length) == (first.frame, first.length)


@pytest.mark.parametrize("name", ["tls12", "tls13"])
def test_a_record_that_is_too_short_to_be_genuine_is_not_a_line(name):
    """Somebody else's plaintext in the form of a record: it has no room for what TLS adds."""
    path = CHAT / f"{name}.pcapng"
    first, *rest = eavesdrop(path).said
    size = len(first.payload) - 5  # two headers where one was
    forged = b"".join(b"\x17\x03\x03" + bytes([0, one]) + bytes(one) for one in (6, size - 6))
    genuine = b"\x17\x03\x03" + bytes([0, len(first.payload)]) + first.payload
    found = eavesdrop(parse_capture(bytes(read_capture(path).raw).replace(genuine, forged)))
    assert [one.length for one in found.said] == [one.length for one in rest]


def test_a_bad_file_is_a_capture_error(tmp_path):
    (tmp_path / "bad.pcapng").write_bytes(b"this is no capture")
    with pytest.raises(CaptureError):
        eavesdrop(tmp_path / "bad.pcapng")


def test_a_capture_without_frames_gives_nothing(tmp_path):
    with CaptureWriter(tmp_path / "empty.pcapng") as writer:
        writer.add_interface("lo")
    assert eavesdrop(tmp_path / "empty.pcapng") == Intercept()


def test_tls_of_today_hides_what_is_said_and_leaks_bits_of_it_unless_records_are_padded():
    folder = ROOT / "captures" / "today"
    for entry in read_manifest(folder / MANIFEST)["recordings"]:
        scores = score(eavesdrop(folder / entry["file"]), entry)
        [content] = [one for one in scores if one.kind == "content"]
        assert (content.right, content.total) == (0, 17)
        assert content.leak.bits == 0 if entry["pad_records"] else content.leak.low > 2
