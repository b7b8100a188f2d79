"""TLS by pyOpenSSL, whose OpenSSL can do what Python's own often cannot: hybrid groups, retries, padded records.

The package ``cryptography`` brings a recent OpenSSL along, and pyOpenSSL is its face. Two of the settings exist only in
OpenSSL's configuration file, which it reads once, when it is loaded. So a recording with these settings is made in a
process of its own, started with ``environment``:

    environment(variant) -> OPENSSL_CONF=a file with Groups, RecordPadding, NumTickets -> contexts(...) in that process

To ``lab.chat.tls`` a ``PeerContext`` is a context: it has ``wrap_bio``, and what that returns has the methods of an
``ssl.SSLObject`` and raises its errors. Neither the chat nor its server can tell the difference.

For a HelloRetryRequest (RFC 8446 section 4.1.4) the client also offers ``RETRY_GROUP``, but sends no key share for it; the
server takes no other group, and so has to ask for one.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from lab.chat.connection import READ_BYTES, ConnectionLost
from lab.harness.certificates import Certificates
from lab.harness.variant import RETRY_GROUP, Variant

T = TypeVar("T")
CONFIGURATION = """openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = settings
[settings]
NumTickets = 0
"""  # a ticket travels as application data and would count as a message


@contextmanager
def environment(variant: Variant) -> Iterator[dict[str, str]]:
    """Yield the environment variables of a process that can record ``variant``."""
    settings = []
    if variant.groups:
        offered = f"{variant.groups}:{RETRY_GROUP}" if variant.retry else variant.groups
        settings.append(f"Groups = {offered}")
    if variant.pad_records:
        settings.append(f"RecordPadding = {variant.pad_records}")
    with TemporaryDirectory(prefix="lab-openssl-") as folder:
        path = Path(folder) / "openssl.cnf"
        path.write_text(CONFIGURATION + "\n".join(settings) + "\n")
        yield os.environ | {"OPENSSL_CONF": str(path)}


def contexts(
    variant: Variant, made: Certificates, key_log: Path | None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's context, in a process started with ``environment(variant)``."""
    server, client = SSL.Context(SSL.TLS_SERVER_METHOD), SSL.Context(SSL.TLS_CLIENT_METHOD)
    server.set_min_proto_version(SSL.TLS1_3_VERSION)  # the client offers TLS 1.2 too, as clients do
    client.set_min_proto_version(SSL.TLS1_2_VERSION)
    server.use_certificate_chain_file(str(made.certificate))
    server.use_privatekey_file(str(made.key))
    if variant.retry:
        server.set_tmp_ecdh(ec.SECP384R1())
    client.load_verify_locations(str(made.ca))
    client.set_verify(SSL.VERIFY_PEER)
    if key_log:
        client.set_keylog_callback(lambda _, line: _append(key_log, line))
    group = RETRY_GROUP if variant.retry else variant.groups.partition(":")[0]
    # lab.chat.tls calls wrap_bio and nothing else of a context.
    both = PeerContext(server), PeerContext(client, group)
    return cast(ssl.SSLContext, both[0]), cast(ssl.SSLContext, both[1])


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line + b"\n")


def openssl_version() -> str:
    """Return the version of the OpenSSL that pyOpenSSL uses."""
    return SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()


@dataclass
class PeerContext:
    """A context whose connections must agree on ``group``; "": on any."""

    context: SSL.Context
    group: str = ""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> "Peer":
        connection = SSL.Connection(self.context, None)
        if server_side:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
            connection.set_tlsext_host_name((server_hostname or "").encode())
        return Peer(connection, incoming, outgoing, server_hostname, self.group)


@dataclass
class Peer:
    """One side of a connection, with those methods of ``ssl.SSLObject`` that ``lab.chat.tls`` calls."""

    _connection: SSL.Connection
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _server_name: str | None
    _group: str

    def do_handshake(self) -> None:
        self._step(self._connection.do_handshake)
        if self._server_name:
            self._check_name(self._server_name)
        agreed = self._connection.get_group_name() or ""
        # OpenSSL ignores settings that it does not know.
        if self._group and agreed.lower() != self._group.lower():
            raise ConnectionLost(
                f"{openssl_version()} does not know the group {self._group} and took {agreed}: is the name right, "
                "as in X25519, X25519MLKEM768 or secp256r1?"
            )

    def read(self, limit: int) -> bytes:
        return self._step(lambda: self._connection.recv(limit))

    def write(self, data: bytes | memoryview) -> int:
        return self._step(lambda: self._connection.send(bytes(data)))

    def unwrap(self) -> None:
        self._step(self._connection.shutdown)

    def version(self) -> str:
        return self._connection.get_protocol_version_name()

    def cipher(self) -> tuple[str | None, ...]:
        return (self._connection.get_cipher_name(),)

    def _check_name(self, name: str) -> None:
        """Raise an error unless the server's certificate, whose authority is checked already, is for ``name``."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if name not in names.get_values_for_type(x509.DNSName):
            raise ConnectionLost(f"the server's certificate is not for {name}")

    def _step(self, step: Callable[[], T]) -> T:
        """Carry bytes in from the network, take a step of TLS, carry bytes out. Raises the errors of ``ssl``."""
        if received := self._incoming.read():
            self._connection.bio_write(received)
        elif self._incoming.eof:
            self._connection.bio_shutdown()
        try:
            return step()
        except SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError from None
        except SSL.SysCallError as error:
            raise _ssl_error(ssl.SSLEOFError, "unexpected EOF") from error
        except SSL.Error as error:
            reasons = [reason for *_, reason in error.args[0]] or ["unknown"]
            raise _ssl_error(ssl.SSLError, reasons[-1]) from error
        finally:
            with suppress(SSL.WantReadError):  # everything is out
                while data := self._connection.bio_read(READ_BYTES):
                    self._outgoing.write(data)


def _ssl_error(kind: type[ssl.SSLError], text: str) -> ssl.SSLError:
    """Return an error of ``ssl`` whose ``reason`` reads as OpenSSL's does: SSLV3_ALERT_HANDSHAKE_FAILURE."""
    error = kind(1, text)
    error.reason = text.replace(" ", "_").upper()
    return error
