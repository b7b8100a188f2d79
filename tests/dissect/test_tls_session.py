"""TLS opened with its keys: against what was said, and against tshark opening the same file."""

import hashlib
import hmac
import re
import shutil
import subprocess

import pytest

from lab.dissect import oracle
from lab.dissect.files.capture_file import CaptureWriter, read_capture
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls import key_schedule
from lab.dissect.tls.certificates import certificate_names
from lab.dissect.tls.records import APPLICATION_DATA, HANDSHAKE, parse_records
from lab.dissect.tls.session import open_flow
from tests.dissect.tls_traffic import play, play_apart, play_early_data, write_capture
from tests.support import only

VARIANTS = {
    "1.3 AES-256-GCM": {"version": "1.3"},
    "1.3 AES-128-GCM": {"version": "1.3", "suites_13": "TLS_AES_128_GCM_SHA256"},
    "1.3 ChaCha20": {"version": "1.3", "suites_13": "TLS_CHACHA20_POLY1305_SHA256"},
    "1.3 tickets": {"version": "1.3", "tickets": 2},
    "1.3 retry": {"version": "1.3", "curve": "secp384r1"},
    "1.2 AES-128-GCM": {"version": "1.2", "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
    "1.2 AES-256-GCM": {"version": "1.2", "ciphers": "ECDHE-RSA-AES256-GCM-SHA384"},
    "1.2 ChaCha20": {"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"},
    "1.2 AES-128-CBC": {"version": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA"},
    "1.2 AES-256-CBC SHA-384": {"version": "1.2", "ciphers": "ECDHE-RSA-AES256-SHA384"},
    "1.2 CBC, the MAC inside": {"version": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA256", "mac_inside": True},
    "1.2 without forward secrecy": {"version": "1.2", "ciphers": "AES128-GCM-SHA256"},
}


@pytest.fixture(
    scope="module",
    params=only(VARIANTS, "1.3 AES-256-GCM", "1.3 retry", "1.2 AES-128-GCM"),
)
def talk(request, tmp_path_factory):
    """(what was played, path with the keys inside, path without keys, variant)."""
    options = dict(VARIANTS[request.param])
    suites = options.pop("suites_13", None)
    played = play_apart(suites, **options) if suites else play(**options)
    folder = tmp_path_factory.mktemp("tls")
    # Segments of 700 bytes: records go over several segments, and segments hold several records.
    write_capture(folder / "keys.pcapng", played["wire"], played["keys"], segment=700)
    write_capture(folder / "plain.pcapng", played["wire"], segment=700)
    return played, folder / "keys.pcapng", folder / "plain.pcapng", request.param


def session_of(path, keys=()):
    (flow,) = find_flows(read_segments(path))
    return open_flow(flow, keys)


def test_all_that_was_said_comes_out(talk):
    played, path, _, variant = talk
    session = session_of(path)
    assert session.problem is None
    assert session.version_name == f"TLS {variant[:3]}"
    assert session.data(from_initiator=True).decode() == played["said"]["client"]
    assert session.data(from_initiator=False).decode() == played["said"]["server"]
    assert sum(message.name == "Finished" for message in session.messages) == 2
    assert [text for _, text in session.alerts] == ["warning: close_notify"] * 2


def test_key_log_beside_the_file_does_the_same(talk):
    played, path, bare, _ = talk
    with_log = session_of(bare, [played["keys"].encode()])
    assert with_log.data(True) == session_of(path).data(True) != b""


def test_without_keys_only_the_outside_shows(talk):
    _, _, bare, _ = talk
    session = session_of(bare)
    assert "no key" in session.problem
    assert session.data(True) == session.data(False) == b""
    assert session.server_name == "chat.lab.test"
    assert session.offered_protocols == ["chat/1", "http/1.1"]
    assert not any(message.name == "Finished" for message in session.messages)


def test_hellos(talk):
    _, path, _, variant = talk
    session = session_of(path)
    offered = session.messages[0].values
    versions = offered("tls.handshake.extensions.supported_version") or offered("tls.handshake.version")
    assert session.suite_number in offered("tls.handshake.ciphersuite")
    assert session.version in versions
    assert (24 in offered("tls.handshake.extensions_supported_group")) != ("without" in variant)  # secp384r1
    retried = [one.name for one in session.messages].count("Client Hello")
    assert retried == (2 if variant == "1.3 retry" else 1)
    assert certificate_names(session.certificates[0]) == ("chat.lab.test",)


@pytest.mark.filterwarnings("error")  # cryptography warns of serial numbers below 1
def test_damaged_certificates_have_no_names():
    """Every byte of a certificate changed, one at a time. An impossible version was found by the fuzzer."""
    played = play(version="1.2")
    data = b"".join(bytes.fromhex(one) for is_client, one in played["wire"] if not is_client)
    start = data.index(b"\x30\x82", 80)
    der = data[start : start + 4 + int.from_bytes(data[start + 2 : start + 4], "big")]
    assert certificate_names(der) is not None
    version = der.index(b"\xa0\x03\x02\x01\x02") + 4
    assert certificate_names(der[:version] + b"\x2d" + der[version + 1 :]) is None
    for place in range(len(der)):
        for value in (0, 0x2D, der[place] ^ 1, 0xFF):
            certificate_names(der[:place] + bytes([value]) + der[place + 1 :])


def test_certificate_is_in_the_clear_in_12_only(talk):
    _, _, bare, variant = talk
    assert bool(session_of(bare).certificates) == variant.startswith("1.2")


@pytest.mark.tshark
def test_tshark_opens_the_same(talk):
    """With keys: the handshake messages of every frame, and what was said."""
    _, path, _, _ = talk
    session = session_of(path)
    fields = ["-Y", "tls.handshake.type", "-T", "fields", "-e", "frame.number", "-e", "tls.handshake.type"]
    out = oracle.run_tshark(["-r", str(path), *fields, "-z", "follow,tls,raw,0"]).decode()
    messages, _, followed = out.partition("\n=====")
    kinds_by_frame = [line.split("\t") for line in messages.splitlines()]
    theirs = [(int(number), int(kind)) for number, kinds in kinds_by_frame for kind in kinds.split(",")]
    assert sorted((one.frame_number, one.kind) for one in session.messages) == sorted(theirs)
    theirs = [b"", b""]
    for line in followed.splitlines():
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            theirs[line.startswith("\t")] += bytes.fromhex(line.strip())
    if "Node 0: 10.27.27.131" in out:  # whoever sends the first data is node 0
        theirs.reverse()
    assert theirs == [session.data(True), session.data(False)]


@pytest.mark.tshark
def test_tshark_counts_the_same_records(talk):
    """In every frame: content types from outside, without keys."""
    _, _, bare, _ = talk
    lines = oracle.tshark_fields(
        bare,
        ["frame.number", "tls.record.content_type", "tls.record.opaque_type", "tls.record.length"],
        "tls",
    )
    theirs = {}
    for number, kinds, opaque, lengths in lines:
        both = [one for one in f"{kinds},{opaque}".split(",") if one]
        if both:
            theirs[int(number)] = sorted(both), lengths.split(",")
    ours = {}
    for one in session_of(bare).records:
        kinds, lengths = ours.setdefault(one.record.frame_number, ([], []))
        kinds.append(str(one.record.content_type))
        lengths.append(str(one.record.length))
    assert {number: (sorted(kinds), lengths) for number, (kinds, lengths) in ours.items()} == theirs


def test_a_key_of_another_connection_opens_nothing(talk, tmp_path):
    played, _, bare, _ = talk
    wrong = re.sub(
        r"([0-9a-f]{2})$", lambda m: f"{int(m[1], 16) ^ 1:02x}", played["keys"], flags=re.MULTILINE
    )
    session = session_of(bare, [wrong.encode()])
    assert session.data(True) == session.data(False) == b""
    assert "do not fit" in session.problem


def test_refused_certificate_leaves_an_alert(tmp_path):
    played = play(version="1.2", refuse=True)
    write_capture(tmp_path / "refused.pcapng", played["wire"])
    session = session_of(tmp_path / "refused.pcapng")
    assert [text for _, text in session.alerts] == ["fatal: unknown_ca"]
    assert session.problem is None  # it was sent in the clear


def key_updated(played, tmp_path):
    """A TLS 1.3 conversation that the client goes on with new keys: encrypted here with the primitives
    alone.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    suite = key_schedule.find_suite(0x1302)
    secrets = key_schedule.parse_key_log(played["keys"].encode())
    secret = next(value for (label, _), value in secrets.items() if label == "CLIENT_TRAFFIC_SECRET_0")
    wire = [item for item in played["wire"] if item[1]]
    sent = b"".join(bytes.fromhex(data) for is_client, data in wire if is_client)
    outside = [one for one in parse_records(sent) if one.content_type == APPLICATION_DATA]
    number = len(outside) - 1 - 1  # behind Finished; without the close_notify, which we leave out
    wire = wire[:-2] if len(wire[-1][1]) < 120 and len(wire[-2][1]) < 120 else wire

    def seal(secret, number, kind, content):
        key, iv, _ = key_schedule.traffic_key(secret, suite)
        nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big"), strict=True))
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        return (header + AESGCM(key).encrypt(nonce, content + bytes([kind]), header)).hex()

    wire.append((True, seal(secret, number, HANDSHAKE, b"\x18\0\0\1\0")))
    newer = key_schedule.next_traffic_secret(secret, suite)
    wire.append((True, seal(newer, 0, APPLICATION_DATA, b"under new keys")))
    write_capture(tmp_path / "updated.pcapng", wire, played["keys"])
    return tmp_path / "updated.pcapng"


@pytest.mark.tshark
def test_key_update(tmp_path):
    path = key_updated(play(version="1.3"), tmp_path)
    session = session_of(path)
    assert session.problem is None
    assert session.data(True).endswith(b"under new keys")
    out = oracle.run_tshark(["-r", str(path), "-q", "-z", "follow,tls,raw,0"]).decode()
    assert b"under new keys".hex() in out


def some_frames(source, target, chosen):
    """Write the frames of ``source`` whose numbers are ``chosen``, and its keys, into ``target``."""
    whole = read_capture(source)
    with CaptureWriter(target) as writer:
        writer.add_interface("lab0")
        for secrets in whole.secrets:
            writer.add_secrets(secrets)
        for number in filter(chosen, range(1, len(whole) + 1)):
            writer.write(bytes(whole.frame(number)), int(whole.time_ns[number - 1]))


@pytest.fixture(scope="module", params=["1.0", "1.1"])
def old_talk(request, tmp_path_factory):
    """(path of a TLS 1.0 or 1.1 conversation with its keys, its version, what was played)."""
    played = play(version=request.param, ciphers="ALL:@SECLEVEL=0")
    path = tmp_path_factory.mktemp("old") / "old.pcapng"
    write_capture(path, played["wire"], played["keys"])
    return path, f"TLS {request.param}", played


def test_old_versions_are_named_and_not_taken_for_plaintext(old_talk):
    """Seen: ciphertext as "a handshake message that claims 5878621 bytes", and as data."""
    path, version, _ = old_talk
    session = session_of(path)
    assert session.version_name == version
    assert session.problem == f"{version} is not opened: this kit opens TLS 1.2 and TLS 1.3"
    assert session.data(True) == session.data(False) == b"" and session.alerts == []
    assert not any(message.name == "Finished" for message in session.messages)
    behind = {way: False for way in (True, False)}
    for one in session.records:
        assert one.encrypted == behind[one.from_initiator] == (one.plaintext is None)
        behind[one.from_initiator] |= one.name == "Change Cipher Spec"
    names = [one.name for one in session.messages]
    assert names[:3] == ["Client Hello", "Server Hello", "Certificate"] and "Finished" not in names


@pytest.mark.tshark
def test_tshark_sees_old_records_where_we_do(old_talk):
    path, *_ = old_talk
    theirs = {}
    for number, kinds in oracle.tshark_fields(path, ["frame.number", "tls.record.content_type"], "tls"):
        theirs[int(number)] = sorted(kinds.split(","))
    ours = {}
    for one in session_of(path).records:
        ours.setdefault(one.record.frame_number, []).append(str(one.record.content_type))
    assert {number: sorted(kinds) for number, kinds in ours.items()} == theirs


def check_begun_late(path, late):
    """Wherever a capture begins: nothing that was encrypted counts as clear, and the reason names what is missing."""
    whole = session_of(path)
    clear = {one.record.payload for one in whole.records if not one.encrypted}
    first = whole.records[0].record.frame_number
    for begin in range(first + 1, len(read_capture(path)) - 2):
        some_frames(path, late, lambda number, begin=begin: number >= begin)
        session = session_of(late)
        if session is None:  # the first bytes of both sides are in the middle of a record
            continue
        for one in session.records:
            assert one.encrypted or one.record.payload in clear, (begin, one)
            assert one.plaintext is None or not one.encrypted
        assert session.data(True) == session.data(False) == b""
        if any(one.encrypted for one in session.records):
            assert re.search("does not hold the ClientHello|is not opened", session.problem), (
                begin,
                session.problem,
            )


def test_a_capture_that_begins_in_mid_connection(talk, tmp_path):
    check_begun_late(talk[1], tmp_path / "late.pcapng")


def test_a_capture_that_begins_in_an_old_connection(old_talk, tmp_path):
    check_begun_late(old_talk[0], tmp_path / "late.pcapng")


def test_a_server_hello_that_was_not_captured(tmp_path):
    played = play(version="1.2")
    write_capture(tmp_path / "client.pcapng", [item for item in played["wire"] if item[0]], played["keys"])
    session = session_of(tmp_path / "client.pcapng")
    assert "does not hold the ServerHello" in session.problem
    assert [one.name for one in session.messages] == ["Client Hello", "Client Key Exchange"]
    assert session.data(True) == b"" and session.alerts == []


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@needs_openssl
@pytest.mark.tshark
@pytest.mark.parametrize("accepted", [True, False])
def test_early_data_is_not_taken_for_plaintext(accepted, tmp_path):
    """0-RTT comes before the ServerHello, under keys of its own; tshark opens it, this kit says that it does not."""
    path = tmp_path / "early.pcapng"
    played = play_early_data(b"early bird\n", accepted)
    write_capture(path, played["wire"], played["keys"])
    session = session_of(path)
    assert session.problem == "the client sent early data (0-RTT), which this kit does not open"
    assert (session.data(True), session.data(False)) == (b"ping\n", b"pong\n")
    assert sum(message.name == "Finished" for message in session.messages) == 2
    closed = [one for one in session.records if one.plaintext is None]
    assert all(one.encrypted and one.from_initiator for one in closed)
    assert len(closed) == (2 if accepted else 1)  # the data, and if it was taken the message that ends it
    out = oracle.run_tshark(["-r", str(path), "-q", "-z", "follow,tls,ascii,0"]).decode()
    assert "early bird" in out and "ping" in out and "pong" in out
    write_capture(path, played["wire"])
    assert "no key" in session_of(path).problem and session_of(path).data(True) == b""


def test_a_renegotiation_is_named(tmp_path):
    """Behind the second change cipher spec there are new keys, agreed under the old ones."""
    played = play(version="1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    again = [(True, "1403030010" + "cd" * 16), (True, "1703030018" + "ab" * 24)]
    write_capture(tmp_path / "again.pcapng", played["wire"][:-2] + again, played["keys"])
    session = session_of(tmp_path / "again.pcapng")
    assert "was renegotiated (frame " in session.problem
    assert session.data(True).decode() == played["said"]["client"]


def test_a_gap_ends_it_and_says_so(tmp_path):
    played = play(version="1.3")
    wire = played["wire"]
    lost = len(wire) // 2
    write_capture(tmp_path / "whole.pcapng", wire, played["keys"])
    some_frames(tmp_path / "whole.pcapng", tmp_path / "gap.pcapng", lambda number: number != lost + 3)
    session = session_of(tmp_path / "gap.pcapng")
    both = session.data(True).decode(), session.data(False).decode()
    assert played["said"]["client"].startswith(both[0]) and played["said"]["server"].startswith(both[1])
    assert both != (played["said"]["client"], played["said"]["server"])
    assert "missing" in session.problem


@pytest.mark.tshark
def test_editcap_takes_the_secrets_out_again(talk, tmp_path):
    """The secrets stand behind the interface block: tshark uses them (above), and editcap finds them to
    strip them.
    """
    _, path, _, _ = talk
    stripped = tmp_path / "stripped.pcapng"
    done = subprocess.run(["editcap", "--discard-all-secrets", str(path), str(stripped)], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert read_segments(path).capture.secrets != []
    assert read_segments(stripped).capture.secrets == []
    assert "no key" in session_of(stripped).problem


def test_a_stream_that_is_not_tls():
    assert parse_records(b"<Brandon> hello").problem == "not a TLS stream"
    assert list(parse_records(b"<Brandon> hello")) == []
    assert list(parse_records(b"")) == []


def test_records_byte_by_byte():
    played = play(version="1.2")
    data = b"".join(bytes.fromhex(one) for is_client, one in played["wire"] if is_client)
    whole = parse_records(data)
    ends = [one.offset + 5 + one.length for one in whole]
    assert ends[-1] == len(data) and whole.problem is None
    for cut in range(len(data)):
        part = parse_records(data[:cut])
        assert len(part) == sum(end <= cut for end in ends)
        assert (part.problem is None) == (cut in (0, *ends))
    behind = parse_records(data + b"\0\0\0\0\0\0")
    assert len(behind) == len(whole) and "no TLS record" in behind.problem


def derived_secret(secret, key):
    """Extract the next secret of the key schedule from ``key``, salted with what follows from ``secret``."""
    nothing = hashlib.sha256(b"").digest()
    salt = key_schedule.hkdf_expand_label(secret, "derived", nothing, len(nothing), "sha256")
    return hmac.digest(salt, key, "sha256")


def test_known_values_of_the_key_schedule():
    """RFC 8448 section 3: a handshake whose every secret is printed."""
    early = hmac.digest(bytes(32), bytes(32), "sha256")
    assert early.hex() == "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"
    shared = bytes.fromhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d")
    handshake = derived_secret(early, shared)
    assert handshake.hex() == "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"
    master = derived_secret(handshake, bytes(32))
    assert master.hex() == "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"
    server = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    key, iv, _ = key_schedule.traffic_key(server, key_schedule.find_suite(0x1301))
    assert (key.hex(), iv.hex()) == ("3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30")


def test_key_log_lines_that_are_none_are_skipped():
    text = b"# comment\nCLIENT_RANDOM zz yy\nCLIENT_RANDOM aa\n\xff\xfe\nCLIENT_RANDOM aa bb\nOTHER aa bb\n"
    assert key_schedule.parse_key_log(text) == {("CLIENT_RANDOM", b"\xaa"): b"\xbb"}
