"""TLS of today: hybrid key shares, retries, padding, hellos over several segments, ECH, GREASE, PSK, and JA4."""

import struct
from xml.etree import ElementTree

import pytest

from lab.dissect import oracle
from lab.dissect.fields.frame import dissect_frame
from lab.dissect.fields.tls import dissect_handshake, dissect_tls
from lab.dissect.fields.tree import Cursor
from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls import names
from lab.dissect.tls.ja4 import ja4
from lab.dissect.tls.records import APPLICATION_DATA
from lab.dissect.tls.session import open_flow
from tests.dissect.frames import check_cover
from tests.dissect.tls_traffic import play_psk, write_capture
from tests.support import CAPTURES

TODAY = CAPTURES / "today"
SHARE = "tls.handshake.extensions_key_share_key_exchange"


def sessions_of(name):
    path = TODAY / f"tls13-{name}.pcapng"
    keys = [path.with_suffix(".keys").read_bytes()]
    return [open_flow(flow, keys) for flow in find_flows(read_segments(path))]


# --- hand-made hellos ---


def vector(bits: int, data: bytes) -> bytes:
    return len(data).to_bytes(bits // 8, "big") + data


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def extension(kind: int, data: bytes = b"") -> bytes:
    return numbers(kind) + vector(16, data)


def hello_bytes(ciphers=(0x1301,), extensions=(), random=b"\x07" * 32, kind=1):
    """Return a ClientHello, or a ServerHello (2), made of these parts."""
    suites = vector(16, numbers(*ciphers)) + b"\x01\0" if kind == 1 else numbers(*ciphers) + b"\0"
    body = numbers(0x0303) + random + vector(8, b"") + suites + vector(16, b"".join(extensions))
    return bytes([kind]) + vector(24, body)


def hello(*parts, **named):
    """Return the tree of a hello, whose leaves cover every byte."""
    data = hello_bytes(*parts, **named)
    tree = dissect_handshake(Cursor(data, 0, len(data)))
    check_cover(tree, len(data))
    return tree


# --- key shares ---


def test_a_hybrid_share_is_two_keys_and_the_answer_a_ciphertext_and_a_key():
    for session in sessions_of("x25519mlkem768"):
        client, server = (message.tree.find(SHARE) for message in session.messages[:2])
        assert [(part.name, part.length) for part in client.children] == [
            ("ML-KEM 768 encapsulation key", 1184), ("X25519 public key", 32),
        ]  # fmt: skip
        assert [(part.name, part.length) for part in server.children] == [
            ("ML-KEM 768 ciphertext", 1088), ("X25519 public key", 32),
        ]  # fmt: skip
        assert len(client.value) == 1216 and client.value == b"".join(part.value for part in client.children)


@pytest.mark.parametrize("group", names.KEY_SHARES)
@pytest.mark.parametrize("side", [0, 1])
def test_a_share_has_named_parts_only_in_the_sizes_of_its_group(group, side):
    size = sum(length for _, length in names.KEY_SHARES[group][side])
    for wrong in (0, 1, -1):
        share = numbers(group) + vector(16, bytes(size + wrong))
        shares = extension(51, vector(16, share) if side == 0 else share)
        found = hello(extensions=[shares], kind=1 + side).find(SHARE)
        assert found.length == size + wrong
        assert [one.length for one in found.children] == (
            [] if wrong else [length for _, length in names.KEY_SHARES[group][side]]
        )


@pytest.mark.tshark
def test_tshark_4_0_does_not_know_the_names_of_the_hybrid_groups_but_their_bytes():
    """Its table is of 2022; X25519MLKEM768 got its number in 2024. Number, place and length are the same."""
    path = TODAY / "tls13-x25519mlkem768.pcapng"
    fields = ["tls.handshake.extensions_key_share_group", SHARE]
    lines = oracle.tshark_fields(path, fields, "tls.handshake.type==1||tls.handshake.type==2")
    theirs = [(int(group, 0), bytes.fromhex(key.replace(":", ""))) for group, key in lines]
    ours = [
        (message.tree.get(fields[0]), message.tree.get(SHARE))
        for session in sessions_of("x25519mlkem768")
        for message in session.messages[:2]
    ]
    assert theirs == ours and {group for group, _ in ours} == {0x11EC}
    document = ElementTree.fromstring(
        oracle.run_tshark(["-r", str(path), "-T", "pdml", "-Y", "frame.number==5"])
    )
    shown = [one.get("showname") for one in document.iter("field") if one.get("name") == fields[0]]
    assert shown in (["Group: Unknown (4588)"], ["Group: X25519MLKEM768 (4588)"])


# --- retries ---


def test_a_retry_request_is_told_from_a_server_hello_by_its_random():
    for session in sessions_of("x25519mlkem768-retry"):
        flights = [message.name for message in session.messages[:4]]
        assert flights == ["Client Hello", "Hello Retry Request", "Client Hello", "Server Hello"]
        retry = session.messages[1]
        assert retry.is_retry and retry.kind == 2
        assert retry.tree.get("tls.handshake.extensions_key_share_selected_group") == 24
        assert "section 4.1.3" in retry.tree.find("tls.handshake.random").meaning
    assert not any(message.is_retry for session in sessions_of("x25519") for message in session.messages)


def test_a_retry_request_may_carry_a_cookie():
    from lab.dissect.fields.tls import RETRY_RANDOM

    cookie = extension(44, vector(16, b"cookie"))
    tree = hello(extensions=[cookie], random=RETRY_RANDOM, kind=2)
    assert tree.name == "Hello Retry Request" and tree.get("tls.handshake.extensions.cookie") == b"cookie"
    assert hello(extensions=[cookie], kind=2).name == "Server Hello"


# --- a hello over several segments ---


def test_each_byte_of_a_long_hello_has_its_frame():
    path = TODAY / "tls13-x25519mlkem768.pcapng"
    capture = read_capture(path)
    for session in sessions_of("x25519mlkem768"):
        message = session.messages[0]
        first, second = message.frames
        payloads = []
        for number in (first, second):
            tree = dissect_frame(bytes(capture.frame(number)))
            tcp = next(layer for layer in tree.children if layer.key == "tcp")
            payloads.append(bytes(capture.frame(number))[tcp.start + tcp.length :])
        assert message.data == b"".join(payloads)[5:]
        frames = [message.frame_of(byte) for byte in range(len(message.data))]
        assert frames == [first] * (len(payloads[0]) - 5) + [second] * len(payloads[1])
        assert message.frame_number == second
        key = message.tree.find(SHARE)
        assert message.frame_of(key.start) == first and len(message.tree.find(SHARE).value) == 1216


def test_a_hello_over_several_records_and_segments_is_one_tree(tmp_path):
    """Records of 100 bytes in segments of 70, so that nothing ends where anything else does."""
    session = sessions_of("x25519mlkem768")[0]
    data = session.messages[0].data
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    wire = b"".join(b"\x16\x03\x01" + vector(16, piece) for piece in pieces)
    write_capture(tmp_path / "pieces.pcapng", [(True, wire.hex())], segment=70)
    (flow,) = find_flows(read_segments(tmp_path / "pieces.pcapng"))
    (message,) = open_flow(flow).messages
    assert message.data == data and message.tree == session.messages[0].tree
    for byte in range(len(data)):
        on_the_wire = byte + 5 * (byte // 100 + 1)
        assert message.frame_of(byte) == 4 + on_the_wire // 70  # behind the three frames of TCP's handshake


def test_messages_inside_opened_records_have_their_frames_too():
    for session in sessions_of("x25519"):
        for message in session.messages:
            assert message.frames == [message.frame_number]


# --- padding ---


def test_padding_inside_opened_records_is_counted():
    for name, is_padded in (("x25519-records256", True), ("x25519", False)):
        for session in sessions_of(name):
            data = [one for one in session.records if one.encrypted]
            assert all(one.plaintext is not None for one in data)
            assert all(bool(one.padding) == is_padded for one in data if len(one.plaintext) < 200)
            for one in data:  # content, its type, zeros, and the tag of the AEAD
                assert len(one.plaintext) + 1 + one.padding + 16 == one.record.length
            said = [one for one in data if one.content_type == APPLICATION_DATA]
            assert ({one.record.length for one in said} == {256 + 16}) == is_padded


# --- ECH and GREASE ---


def test_ech_in_a_hello_is_named_field_by_field():
    outer = b"\0" + numbers(1, 1) + b"\x2a" + vector(16, bytes(32)) + vector(16, bytes(144))
    tree = hello(extensions=[extension(0xFE0D, outer)])
    group = next(one for one in tree.walk() if one.name == "encrypted_client_hello")
    assert [one.name for one in group.children if "length" not in one.name.lower()] == [
        "Type", "Type", "Key derivation", "Cipher", "Configuration", "Encapsulated key", "Encrypted hello",
    ]  # fmt: skip
    assert "GREASE" in group.meaning and all("RFC 9849" in one.source for one in group.children[2:])
    inner = hello(extensions=[extension(0xFE0D, b"\1")])
    assert [one.value for one in inner.leaves()][-1] == 1
    for cut in range(len(outer)):
        hello(extensions=[extension(0xFE0D, outer[:cut])])  # which checks that each byte is covered


def test_grease_is_named_wherever_it_stands():
    groups, versions = vector(16, numbers(0x3A3A, 29)), vector(8, numbers(0x4A4A, 0x0304))
    tree = hello([0x1A1A, 0x1301], [extension(0x2A2A), extension(10, groups), extension(43, versions)])
    named = {
        one.value: one.text for one in tree.walk() if isinstance(one.value, int) and one.value in names.GREASE
    }
    assert sorted(value for value in named) == [0x1A1A, 0x2A2A, 0x3A3A, 0x4A4A]
    assert all("GREASE" in one.text or one.name == "GREASE" for one in tree.walk() if one.value in named)


# --- pre-shared keys ---


@pytest.mark.tshark
@pytest.mark.parametrize("cipher", ["PSK-AES128-GCM-SHA256", "ECDHE-PSK-AES128-CBC-SHA256"])
def test_a_session_under_a_pre_shared_key_is_opened_as_by_tshark(cipher, tmp_path):
    played = play_psk(cipher)
    write_capture(tmp_path / "psk.pcapng", played["wire"], played["keys"])
    (flow,) = find_flows(read_segments(tmp_path / "psk.pcapng"))
    session = open_flow(flow)
    assert session.problem is None and "_PSK_" in session.suite_name
    assert (session.data(True), session.data(False)) == (b"ping\n", b"pong\n")
    follow = ["-r", str(tmp_path / "psk.pcapng"), "-q", "-z", "follow,tls,ascii,0"]
    assert {"ping", "pong"} <= set(oracle.run_tshark(follow).decode().split())


# --- JA4 ---

CIPHERS = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
KINDS = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
SIGNATURES = "0403,0804,0401,0503,0805,0501,0806,0601"
CONTENTS = {
    0x0000: vector(16, b"\0" + vector(16, b"example.com")),
    0x0010: vector(16, vector(8, b"h2") + vector(8, b"http/1.1")),
    0x000D: vector(16, numbers(*(int(one, 16) for one in SIGNATURES.split(",")))),
    0x002B: vector(8, numbers(0x7A7A, 0x0304, 0x0303)),
}


def of_the_definition(leave_out=(), first=(0x0A0A,), protocol=b"h2"):
    """Return the hello that the definition takes as its example, with GREASE in front."""
    kinds = [kind for kind in (int(one, 16) for one in KINDS.split(",")) if kind not in leave_out]
    contents = CONTENTS | {0x0010: vector(16, vector(8, protocol))}
    extensions = [extension(kind, contents.get(kind, b"")) for kind in (*first, *kinds)]
    return hello_bytes([*first, *(int(one, 16) for one in CIPHERS.split(","))], extensions)


def test_ja4_of_the_definition():
    assert ja4(of_the_definition()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert ja4(of_the_definition(first=())) == ja4(of_the_definition())


@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"leave_out": (0x0000,)}, "t13i1515h2_8daaf6152771_e5627efa2ab1"),
        ({"leave_out": (0x0010,)}, "t13d151500_8daaf6152771_e5627efa2ab1"),
        ({"leave_out": (0x002B,)}, "t12d1515h2_8daaf6152771_"),
        ({"protocol": b"x"}, "t13d1516xx_"),
        ({"protocol": b"\xab\xcd"}, "t13d1516ad_"),
    ],
)
def test_ja4_changes_with_what_it_names(change, begins):
    assert ja4(of_the_definition(**change)).startswith(begins)


def test_ja4_of_an_empty_hello_and_of_clients_that_we_recorded():
    assert ja4(hello_bytes(ciphers=())) == "t12i000000_000000000000_000000000000"
    found = {
        name: {ja4(one.messages[0].data) for one in sessions_of(name)}
        for name in ("x25519", "x25519mlkem768")
    }
    assert all(len(names_of_all_users) == 1 for names_of_all_users in found.values())
    assert found["x25519"] != found["x25519mlkem768"]


def test_any_cut_of_a_hello_is_covered():
    session = sessions_of("x25519mlkem768")[0]
    whole = session.records[0].record
    data = b"\x16\x03\x01" + vector(16, whole.payload)
    for cut in range(5, len(data), 7):
        check_cover(dissect_tls(Cursor(data[:cut], 0, cut)), cut)
