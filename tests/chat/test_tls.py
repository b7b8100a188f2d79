"""TLS: it works, and every way in which it must not work has a test that it does not, clearly and without a hang."""

import socket
import ssl
import threading

import pytest

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.connection import shut_down
from lab.chat.features.restrictions import TlsOnly
from lab.chat.login import ChatError, Login
from lab.chat.report_wire import as_text
from lab.chat.tls import TlsError, client_context, server_context
from tests.chat.rig import BOUND_S, joined, raw, read_to_end, say, until

VERSIONS = ["1.2", "1.3"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_conversation(serve, ours, version, host):
    server = serve(tls=server_context(ours.certificate, ours.key))
    trust = client_context(ours.ca, version)
    brandon = joined("Brandon", server, host=host, tls=trust)
    john = joined("John", server, host=host, tls=client_context(ours.ca))
    assert brandon.connection.tls_version == f"TLSv{version}"
    assert john.connection.tls_version == "TLSv1.3"
    say(brandon, "hello")
    until(john, events.Said("Brandon", "hello"))
    long = "x" * 900 + "ä"
    say(john, long)
    until(brandon, events.Said("John", long))
    brandon.leave()
    until(john, events.Users(("John",)))
    john.leave()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_of_one_version_refuses_the_other(serve, ours, version):
    server = serve(tls=server_context(ours.certificate, ours.key, version))
    joined("Brandon", server, tls=client_context(ours.ca, version)).leave()
    other = VERSIONS[1 - VERSIONS.index(version)]
    with pytest.raises(ChatError) as error:
        ChatClient(Login("Brandon", "localhost", server.port, client_context(ours.ca, other))).connect()
    assert "another version of TLS" in str(error.value)
    server.said.wait_for("Refused")


def refused(server, context, host="localhost") -> str:
    with pytest.raises(ChatError) as error:
        ChatClient(Login("Brandon", host, server.port, context)).connect()
    assert "\n" not in str(error.value)
    assert server.said.wait_for("Refused")
    assert server.room.names == ()
    return str(error.value)


@pytest.mark.parametrize("version", VERSIONS)
class TestMustFail:
    """The twins of the conversation above: one thing is wrong in each."""

    def test_another_authority(self, serve, certificates, ours, version):
        server = serve(tls=server_context(ours.certificate, ours.key))
        complaint = refused(server, client_context(certificates().ca, version))
        assert "not trusted" in complaint and "such as --cafile my-certs/ca.pem" in complaint
        assert "unknown ca" in server.said.wait_for("Refused")

    def test_the_systems_authorities(self, serve, ours, version):
        server = serve(tls=server_context(ours.certificate, ours.key))
        assert "not trusted" in refused(server, client_context(None, version))

    def test_another_host_name(self, serve, certificates, version):
        theirs = certificates("chat.example")
        server = serve(tls=server_context(theirs.certificate, theirs.key))
        assert "mismatch" in refused(server, client_context(theirs.ca, version)).lower()
        assert "bad certificate" in server.said.wait_for("Refused")

    def test_another_address(self, serve, certificates, version):
        theirs = certificates("127.0.0.2", "localhost")
        server = serve(tls=server_context(theirs.certificate, theirs.key))
        assert "mismatch" in refused(server, client_context(theirs.ca, version), "127.0.0.1").lower()

    def test_an_expired_certificate(self, serve, certificates, version):
        theirs = certificates("localhost", days=-1)
        server = serve(tls=server_context(theirs.certificate, theirs.key))
        assert "expired" in refused(server, client_context(theirs.ca, version))
        assert "expired" in server.said.wait_for("Refused")

    def test_a_server_without_tls(self, serve, ours, version):
        server = serve()
        assert "or none on this port" in refused(server, client_context(ours.ca, version))
        assert "plaintext port" in server.said.wait_for("Refused")


def test_a_plaintext_client_at_a_tls_server(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key), features=[TlsOnly()])
    client = ChatClient(Login("Brandon", "localhost", server.port)).connect()
    seen = until(client, lambda event: "TLS only" in str(event))
    assert seen
    assert "TLS only" in server.said.wait_for("Refused")
    client.leave()


def test_a_plaintext_server_that_talks_first(ours):
    """Not ours: any other service on the port that the client was sent to."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet():
            peer, _ = other.accept()
            with peer:
                peer.sendall(b"220 mail.example ESMTP\r\n")
                read_to_end(peer)

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(ChatError, match="does not speak TLS"):
            ChatClient(Login("B", "localhost", other.getsockname()[1], client_context(ours.ca))).connect()


def test_garbage_instead_of_a_handshake(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key))
    for garbage in (b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x16\x03\x01\x00\x05hello", b"\x16" * 70_000):
        with raw(server.port) as peer:
            try:
                peer.sendall(garbage)
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has hung up on us in mid-garbage
            read_to_end(peer)
    server.said.wait_for("Refused", count=3)
    joined("Brandon", server, tls=client_context(ours.ca)).leave()


def test_a_slow_handshake_is_dropped(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key), login_s=0.3)
    with raw(server.port) as peer:
        peer.sendall(b"\x16\x03\x01")
        read_to_end(peer)
    server.said.wait_for("timed out")


def test_a_connection_cut_without_a_farewell(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key))
    stays = joined("stays", server, tls=client_context(ours.ca))
    goes = joined("goes", server, tls=client_context(ours.ca))
    shut_down(goes.connection.socket)
    until(stays, lambda event: event == events.Users(("stays",)))
    stays.leave()
    goes.leave()


def test_one_silent_reader_freezes_nobody_under_tls(serve, ours):
    server = serve(tls=server_context(ours.certificate, ours.key))
    silent = raw(server.port)
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent = client_context(ours.ca).wrap_socket(silent, server_hostname="localhost")
    silent.sendall(b"silent")
    server.said.wait_for("silent")
    alice = joined("Alice", server, tls=client_context(ours.ca))
    text = "x" * 900
    for i in range(20_000):
        say(alice, f"{i} {text}")
        if any("*** <silent>" in line for line in server.said.lines):
            break
    assert "does not read" in server.said.wait_for("*** <silent>")
    assert server.room.names == ("Alice",)
    silent.close()
    alice.leave()


def test_a_lossless_stream_of_many_lines_under_tls(serve, ours):
    """Two sides writing at once on one TLS state: nothing is lost, doubled or out of order."""
    server = serve(tls=server_context(ours.certificate, ours.key))
    clients = [joined(name, server, tls=client_context(ours.ca)) for name in ("Alice", "John")]

    def talk(client):
        for i in range(200):
            say(client, f"{i};")

    talkers = [threading.Thread(target=talk, args=[client]) for client in clients]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join(BOUND_S * 4)
        assert not talker.is_alive()
    say(clients[0], "the end")
    seen = until(clients[1], lambda event: "the end" in str(event))
    heard = "".join(as_text(event) for event in seen if not isinstance(event, events.Users))
    for name in ("Alice", "John"):
        places = [heard.index(f"<{name}> {i};") for i in range(200)]
        assert places == sorted(places)
        assert heard.count(f"<{name}> 7;") == 1
    for client in clients:
        client.leave()


def test_a_key_log_is_written_only_when_asked_for(serve, ours, tmp_path, monkeypatch):
    asked, not_asked = tmp_path / "keys.txt", tmp_path / "environment.txt"
    monkeypatch.setenv("SSLKEYLOGFILE", str(not_asked))
    server = serve(tls=server_context(ours.certificate, ours.key))
    joined("Brandon", server, tls=client_context(ours.ca)).leave()
    assert not not_asked.exists()
    joined("John", server, tls=client_context(ours.ca, key_log=asked)).leave()
    assert "CLIENT_TRAFFIC_SECRET_0" in asked.read_text()


class TestContexts:
    def test_what_is_never_spoken(self, ours):
        for context in (server_context(ours.certificate, ours.key), client_context(ours.ca)):
            assert context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_the_client_always_checks(self, ours):
        for context in (client_context(), client_context(ours.ca)):
            assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED

    def test_trust_in_the_given_authority_alone(self, ours):
        assert client_context(ours.ca).cert_store_stats()["x509_ca"] == 1

    def test_files_that_cannot_be_used(self, ours, certificates, tmp_path):
        certificate, key = ours.certificate, ours.key
        empty = tmp_path / "empty.pem"
        empty.write_text("")
        for files in ((tmp_path / "no.pem", key), (certificate, certificates("x").key), (empty, empty)):
            with pytest.raises(TlsError) as error:
                server_context(*files)
            assert "\n" not in str(error.value)
        for ca_file in (tmp_path / "no.pem", empty, key):
            with pytest.raises(TlsError) as error:
                client_context(ca_file)
            assert "\n" not in str(error.value)
        with pytest.raises(TlsError):
            client_context(ours.ca, key_log=tmp_path / "no" / "such" / "folder")
