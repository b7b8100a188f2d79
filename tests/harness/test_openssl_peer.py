"""TLS by pyOpenSSL: what it was asked for is on the wire, the chat works over it, and mistakes are refused."""

import ssl

import pytest

from lab import capture
from lab.chat.login import Login
from lab.chat.server import ChatServer
from lab.chat.tls import connect
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls.records import APPLICATION_DATA
from lab.dissect.tls.session import open_flow
from lab.harness import certificates, openssl_peer
from lab.harness.manifest import read_manifest
from lab.harness.script import make_script
from lab.harness.variant import Variant
from tests.support import needs_namespaces

HYBRID = 0x11EC
BLOCK_RECORD = 256 + 16 + 5  # a block, the tag of the AEAD and the header
KEY = "tls.handshake.extensions_key_share_group"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One recording of each kind: the manifest's entries and the TLS sessions, by the name of the file."""
    out = tmp_path_factory.mktemp("today")
    groups = ["--groups", "X25519MLKEM768", "--retry", "--pad-records", "256"]
    assert capture.main(["--tls", "1.3", *groups, "--keys", "--quiet", "--out", str(out)]) == 0
    found = {}
    for entry in read_manifest(out / "manifest.json")["recordings"]:
        path = out / entry["file"]
        keys = [(out / entry["key_log"]).read_bytes()]
        found[path.stem] = entry, [open_flow(flow, keys) for flow in find_flows(read_segments(path))]
    return found


@needs_namespaces
def test_every_line_was_said_and_can_be_opened(recorded):
    names = ("", "-retry", "-records256")
    assert list(recorded) == [f"tls13-x25519mlkem768{name}" for name in names]
    for entry, sessions in recorded.values():
        assert (entry["tls_version"], len(sessions)) == ("TLSv1.3", 3)
        said = b"".join(session.data(from_initiator=False) for session in sessions)
        assert all(session.problem is None for session in sessions)
        assert all(f"<{who}> {text}".encode() in said for who, text in make_script(0).lines)


@needs_namespaces
def test_the_hello_with_a_hybrid_share_takes_two_segments_and_a_retry_two_hellos(recorded):
    for name, (_, sessions) in recorded.items():
        for session in sessions:
            hellos = [one for one in session.messages if one.kind == 1]
            assert len(hellos) == (2 if "retry" in name else 1)
            assert hellos[0].values(KEY) == [HYBRID] and len(hellos[0].data) > 1460
            assert len(session.records[0].record.frame_numbers) == 2
            if "retry" in name:
                assert hellos[1].values(KEY) == [24]  # secp384r1


@needs_namespaces
def test_padded_records_are_as_long_as_their_block(recorded):
    for name, (_, sessions) in recorded.items():
        sealed = [one.record for session in sessions for one in session.records]
        lengths = {5 + one.length for one in sealed if one.content_type == APPLICATION_DATA}
        whole_blocks = {length for length in lengths if (length - 5 - 16) % 256 == 0}
        assert (lengths == whole_blocks) == ("records" in name)
        assert "records" not in name or BLOCK_RECORD in lengths


@needs_namespaces
def test_a_group_that_openssl_does_not_know_is_refused_in_one_line(tmp_path, capsys):
    options = ["--tls", "1.3", "--groups", "X25519MLKEM512", "--quiet", "--out", str(tmp_path)]
    assert capture.main(options) == 2
    error = capsys.readouterr().err
    assert "does not know the group X25519MLKEM512" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--groups", "X25519"], "need --tls 1.3 alone"),
        (["--tls", "1.3", "--retry"], "--retry needs --groups"),
        (["--tls", "1.3", "--retry", "--groups", "X25519:secp384r1"], "leave it out of --groups"),
        (["--tls", "1.3", "--groups", "X25519\nOptions = all"], "is not a group"),
        (["--tls", "1.3", "--pad-records", "8"], "a block of 16 to 16384 bytes"),
        (["--student", "ann", "--pad-records", "256"], "leave out --pad-records"),
    ],
)
def test_options_that_cannot_be_had_are_refused(options, says, capsys):
    with pytest.raises(SystemExit) as ended:
        capture.main(options)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and says in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "authority", "says"),
    [
        ("chat.lab.test", "", None),
        ("other.lab.test", "", "the server's certificate is not for other.lab.test"),
        ("chat.lab.test", "of somebody else", "certificate verify failed"),
    ],
)
def test_a_server_is_believed_for_its_own_name_and_authority_alone(tmp_path, name, authority, says):
    made = certificates.issue(tmp_path / "server", ["chat.lab.test"])
    server_context, client_context = openssl_peer.contexts(Variant("1.3"), made, None)
    if authority:
        other = certificates.issue(tmp_path / "other", ["chat.lab.test"])
        _, client_context = openssl_peer.contexts(Variant("1.3"), other, None)
    with ChatServer("127.0.0.1", 0, server_context, console=lambda line: None) as server:
        login = Login("Ann", "127.0.0.1", server.port, client_context, server_name=name)
        if says:
            with pytest.raises(OSError, match=says):
                connect(login, 10)
        else:
            connect(login, 10).close()


def test_the_peer_raises_the_errors_of_ssl():
    """What ends a connection early is an error that ``lab.chat.tls`` can explain."""
    peer = openssl_peer.PeerContext(openssl_peer.SSL.Context(openssl_peer.SSL.TLS_CLIENT_METHOD))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = peer.wrap_bio(incoming, outgoing, server_hostname="chat.lab.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert outgoing.read()[0] == 22
    incoming.write(b"<Brandon> hello")
    with pytest.raises(ssl.SSLError) as wrong:
        client.do_handshake()
    assert wrong.value.reason == "WRONG_VERSION_NUMBER"
