"""Real TLS, made by the standard library's ``ssl`` between two memory buffers, and put into TCP segments by
hand.

Run as a program it plays one connection in a process of its own, because OpenSSL reads which TLS 1.3 suites
it may use from its configuration file when it starts: ``python -m tests.dissect.tls_traffic {"version":
"1.3", ...}``. Certificates and connections are made once a process: an RSA key takes most of a test's time.
"""

import datetime
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings
from functools import cache
from pathlib import Path

from lab.dissect.files.capture_file import CaptureWriter
from tests.dissect import packets
from tests.support import ROOT

NO_ENCRYPT_THEN_MAC = 1 << 19  # OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC, which Python's ssl does not name
CLIENT, SERVER = ("10.27.27.206", 56228), ("10.27.27.131", 9898)


def certificate(folder: Path) -> tuple[str, str]:
    """Write the files of a host that signs for itself, certificate and key; return their paths."""
    paths = folder / "cert.pem", folder / "key.pem"
    for path, text in zip(paths, _certificate(), strict=True):
        path.write_bytes(text)
    return str(paths[0]), str(paths[1])


@cache
def _certificate() -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chat.lab.test")])
    now = datetime.datetime(2023, 5, 1, tzinfo=datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("chat.lab.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    as_pem = serialization.Encoding.PEM
    return built.public_bytes(as_pem), key.private_bytes(as_pem, kind, plain)


@cache
def play(version="1.3", ciphers=None, curve=None, tickets=0, lines=5, refuse=False, mac_inside=False) -> dict:
    """Handshake, ``lines`` each way, close. Return the wire as [(from client, hex)], the key log, what was said.

    The same connection is returned for the same options: not to be changed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cert, key = certificate(folder)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(cert, key)
        client = ssl.create_default_context(cafile=None if refuse else cert)
        chosen = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_").removesuffix("_0"))
        for context in (server, client):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1 and older
                context.minimum_version = context.maximum_version = chosen
        if mac_inside:
            client.options |= NO_ENCRYPT_THEN_MAC
        server.num_tickets = tickets
        server.set_alpn_protocols(["chat/1"])
        client.set_alpn_protocols(["chat/1", "http/1.1"])
        if ciphers:
            client.set_ciphers(ciphers)
            server.set_ciphers(ciphers)
        if curve:
            server.set_ecdh_curve(curve)
        client.keylog_filename = str(folder / "keys.log")
        wire, said = _converse(client, server, lines)
        log = folder / "keys.log"
        return {"wire": wire, "said": said, "keys": log.read_text() if log.exists() else ""}


def _converse(client_context, server_context, lines):
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    from_client, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, from_client, server_hostname="chat.lab.test")
    server = server_context.wrap_bio(to_server, from_server, server_side=True)
    wire, said = [], {"client": "", "server": ""}

    def carry():
        for output, into, is_client in ((from_client, to_server, True), (from_server, to_client, False)):
            data = output.read()
            if data:
                wire.append((is_client, data.hex()))
                into.write(data)

    open_ends, refused = {client, server}, False
    while open_ends and not refused:
        for end in list(open_ends):
            try:
                end.do_handshake()
                open_ends.discard(end)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                refused = True
        carry()
    if refused:
        return wire, said
    for i in range(lines):
        for end, other, who in ((client, server, "client"), (server, client, "server")):
            text = f"{who} line {i} " + "x" * (i * 37 % 600)
            end.write(text.encode())
            said[who] += text
            carry()
            other.read()
    for end in (client, server):
        try:
            end.unwrap()
        except ssl.SSLError:
            pass
        carry()
    return wire, said


def play_apart(suites_13: str, **options) -> dict:
    """Play in a process of its own, so that ``suites_13`` (a TLS 1.3 suite's name) can be demanded."""
    with tempfile.TemporaryDirectory() as name:
        configuration = Path(name) / "openssl.cnf"
        configuration.write_text(
            f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCiphersuites = {suites_13}\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "tests.dissect.tls_traffic", json.dumps(options)],
            cwd=ROOT,
            env=os.environ | {"OPENSSL_CONF": str(configuration)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)


class Relay(threading.Thread):
    """Passes one connection on to ``port``, and notes what is sent in ``wire``, as ``play`` does."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.port, self.wire = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)

    def run(self):
        (client, _), server = self.listener.accept(), socket.create_connection(("127.0.0.1", self.port), 60)
        with self.listener, client, server:
            open_ends = [client, server]
            while open_ends:
                for end in select.select(open_ends, [], [], 60)[0]:
                    data = end.recv(65536)
                    if data:
                        self.wire.append((end is client, data.hex()))
                        (server if end is client else client).sendall(data)
                    else:
                        open_ends.remove(end)
                        (server if end is client else client).shutdown(socket.SHUT_WR)


def play_early_data(early: bytes, accepted: bool = True) -> dict:
    """Play a resumed session that begins with ``early`` data, by ``openssl``: its wire and its key log.

    A server takes the early data of a session once (RFC 8446 section 8.1), so the second time it is refused.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cert, key = certificate(folder)
        (folder / "early").write_bytes(early)
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-tls1_3"]
        command.append("-early_data")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **pipes) as server:
            port = next(int(line.rsplit(b":", 1)[1]) for line in server.stdout if line.startswith(b"ACCEPT"))
            client = ["openssl", "s_client", "-tls1_3", "-quiet", "-no_ign_eof", "-connect"]
            try:
                _one_line_each([*client, f"127.0.0.1:{port}", "-sess_out", str(folder / "session")], server)
                resume = ["-sess_in", str(folder / "session"), "-early_data", str(folder / "early")]
                if not accepted:
                    _one_line_each([*client, f"127.0.0.1:{port}", *resume], server)
                relay = Relay(port)
                relay.start()
                where = f"127.0.0.1:{relay.listener.getsockname()[1]}"
                _one_line_each([*client, where, *resume, "-keylogfile", str(folder / "keys")], server)
                relay.join(60)
            finally:
                server.kill()
        return {"wire": relay.wire, "keys": (folder / "keys").read_text()}


def play_psk(cipher: str) -> dict:
    """Play a session of TLS 1.2 under a pre-shared key, by ``openssl``: its wire and its key log."""
    with tempfile.TemporaryDirectory() as name:
        keys = Path(name) / "keys"
        shared = ["-psk", "5ec7e7", "-tls1_2", "-cipher", cipher]
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-nocert", *shared]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **pipes) as server:
            try:
                port = next(
                    int(line.rsplit(b":", 1)[1]) for line in server.stdout if line.startswith(b"ACCEPT")
                )
                relay = Relay(port)
                relay.start()
                where = f"127.0.0.1:{relay.listener.getsockname()[1]}"
                client = ["openssl", "s_client", *shared, "-quiet", "-no_ign_eof", "-connect", where]
                _one_line_each([*client, "-keylogfile", str(keys)], server)
                relay.join(60)
            finally:
                server.kill()
        return {"wire": relay.wire, "keys": keys.read_text()}


def _one_line_each(command: list[str], server: subprocess.Popen) -> None:
    """Let the client that ``command`` starts say "ping", and the server "pong"; then the client leaves."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        for sender, word, receiver in ((client, b"ping", server), (server, b"pong", client)):
            sender.stdin.write(word + b"\n")
            sender.stdin.flush()
            assert any(word in line for line in receiver.stdout), "openssl ended too early"
        client.stdin.write(b"Q\n")


def write_capture(path, wire, keys="", segment=1400) -> None:
    """Put WIRE into TCP segments of at most SEGMENT bytes, with handshake and FINs, and KEYS into the
    file.
    """
    numbers = {True: 1_000_000, False: 2_000_000}
    time_ns = 1_683_600_000_000_000_000

    with CaptureWriter(path, application="a test") as writer:
        writer.add_interface("lab0")
        if keys:
            writer.add_secrets(keys.encode())

        def send(is_client, flags, payload=b""):
            nonlocal time_ns
            (source, sport), (destination, dport) = (CLIENT, SERVER) if is_client else (SERVER, CLIENT)
            ack = numbers[not is_client] if flags & packets.ACK else 0
            body = packets.tcp(
                source, destination, sport, dport, numbers[is_client], ack, flags, payload=payload
            )
            writer.write(packets.link(1, packets.ipv4(source, destination, body)), time_ns)
            time_ns += 100_000
            numbers[is_client] += len(payload) + bool(flags & (packets.SYN | packets.FIN))

        send(True, packets.SYN)
        send(False, packets.SYN | packets.ACK)
        send(True, packets.ACK)
        for is_client, data in wire:
            data = bytes.fromhex(data)
            for start in range(0, len(data), segment):
                send(is_client, packets.PSH | packets.ACK, data[start : start + segment])
        send(True, packets.FIN | packets.ACK)
        send(False, packets.FIN | packets.ACK)
        send(True, packets.ACK)


if __name__ == "__main__":
    print(json.dumps(play(**json.loads(sys.argv[1]))))
