"""TLS opened with its keys: against what was said, and against tshark opening the same file."""

import re
import subprocess

import pytest

from lab.dissect import key_schedule, oracle
from lab.dissect.flows import find_flows
from lab.dissect.records import APPLICATION_DATA, HANDSHAKE, parse_records
from lab.dissect.segments import read_segments
from lab.dissect.tls_session import certificate_names, open_flow
from tests.dissect.tls_traffic import play_apart, write_capture

VARIANTS = {
    "1.3 AES-256-GCM": {"version": "1.3"},
    "1.3 AES-128-GCM": {"version": "1.3", "suites_13": "TLS_AES_128_GCM_SHA256"},
    "1.3 ChaCha20": {"version": "1.3", "suites_13": "TLS_CHACHA20_POLY1305_SHA256"},
    "1.3 tickets": {"version": "1.3", "tickets": 2},
    "1.3 retry": {"version": "1.3", "curve": "secp384r1"},
    "1.2 AES-128-GCM": {"version": "1.2", "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
    "1.2 AES-256-GCM": {"version": "1.2", "ciphers": "ECDHE-RSA-AES256-GCM-SHA384"},
    "1.2 ChaCha20": {"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"},
    "1.2 without forward secrecy": {"version": "1.2", "ciphers": "AES128-GCM-SHA256"},
}


@pytest.fixture(scope="module", params=list(VARIANTS))
def talk(request, tmp_path_factory):
    """(what was played, path with the keys inside, path without keys, variant)."""
    options = dict(VARIANTS[request.param])
    played = play_apart(options.pop("suites_13", None), **options)
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
    assert session.finished == {"initiator": True, "responder": True}
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
    assert session.finished == {} or not any(session.finished.values())


def test_hellos(talk):
    _, path, _, variant = talk
    session = session_of(path)
    assert session.suite_name in session.offered_suites
    assert session.version_name in session.offered_versions
    assert ("secp384r1" in session.offered_groups) != ("without" in variant)
    retried = [one.name for one in session.messages].count("Client Hello")
    assert retried == (2 if variant == "1.3 retry" else 1)
    names = certificate_names(session.certificates[0])
    assert names.subject == names.issuer == "CN=chat.lab.test"
    assert names.alternative_names == ("chat.lab.test",)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_damaged_certificates_have_no_names():
    """Every byte of a certificate changed, one at a time. An impossible version was found by the fuzzer."""
    played = play_apart(version="1.2")
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
    _, path, _, _ = talk
    session = session_of(path)
    out = oracle.run_tshark(["-r", str(path), "-q", "-z", "follow,tls,raw,0"]).decode()
    theirs = [b"", b""]
    for line in out.splitlines():
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            theirs[line.startswith("\t")] += bytes.fromhex(line.strip())
    if "Node 0: 10.27.27.131" in out:  # whoever sends the first data is node 0
        theirs.reverse()
    assert theirs == [session.data(True), session.data(False)]


@pytest.mark.tshark
def test_tshark_counts_the_same_records(talk):
    """In every frame: content types from outside, without keys; and the handshake messages, with them."""
    _, path, bare, _ = talk
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
    lines = oracle.tshark_fields(path, ["frame.number", "tls.handshake.type"], "tls.handshake.type")
    theirs = [(int(number), int(kind)) for number, kinds in lines for kind in kinds.split(",")]
    assert sorted((one.frame_number, one.kind) for one in session_of(path).messages) == sorted(theirs)


def test_a_key_of_another_connection_opens_nothing(talk, tmp_path):
    played, _, bare, _ = talk
    wrong = re.sub(r"([0-9a-f]{2})$", lambda m: f"{int(m[1], 16) ^ 1:02x}", played["keys"], flags=re.MULTILINE)
    session = session_of(bare, [wrong.encode()])
    assert session.data(True) == session.data(False) == b""
    assert "do not fit" in session.problem


def test_refused_certificate_leaves_an_alert(tmp_path):
    played = play_apart(version="1.2", refuse=True)
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
        key, iv = key_schedule.traffic_key(secret, suite)
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
    path = key_updated(play_apart(version="1.3"), tmp_path)
    session = session_of(path)
    assert session.problem is None
    assert session.data(True).endswith(b"under new keys")
    out = oracle.run_tshark(["-r", str(path), "-q", "-z", "follow,tls,raw,0"]).decode()
    assert b"under new keys".hex() in out


def test_a_gap_ends_it_and_says_so(tmp_path):
    played = play_apart(version="1.3")
    wire = played["wire"]
    lost = len(wire) // 2
    write_capture(tmp_path / "whole.pcapng", wire, played["keys"])
    from lab.dissect.capture_file import CaptureWriter, read_capture

    whole = read_capture(tmp_path / "whole.pcapng")
    with CaptureWriter(tmp_path / "gap.pcapng") as writer:
        writer.add_interface("lab0")
        writer.add_secrets(played["keys"].encode())
        for number in range(1, len(whole) + 1):
            if number != lost + 3:
                writer.write(bytes(whole.frame(number)), int(whole.time_ns[number - 1]))
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
    played = play_apart(version="1.2")
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


def test_known_values_of_the_key_schedule():
    """RFC 8448 section 3: a handshake whose every secret is printed."""
    sha = "sha256"
    early = key_schedule.early_secret(None, sha)
    assert early.hex() == "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"
    shared = bytes.fromhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d")
    handshake = key_schedule.handshake_secret(early, shared, sha)
    assert handshake.hex() == "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"
    master = key_schedule.master_secret(handshake, sha)
    assert master.hex() == "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"
    server = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    key, iv = key_schedule.traffic_key(server, key_schedule.find_suite(0x1301))
    assert (key.hex(), iv.hex()) == ("3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30")


def test_key_log_lines_that_are_none_are_skipped():
    text = b"# comment\nCLIENT_RANDOM zz yy\nCLIENT_RANDOM aa\n\xff\xfe\nCLIENT_RANDOM aa bb\nOTHER aa bb\n"
    assert key_schedule.parse_key_log(text) == {("CLIENT_RANDOM", b"\xaa"): b"\xbb"}
