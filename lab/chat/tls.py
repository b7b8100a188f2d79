"""TLS for both sides: contexts, a lesson's key log, and a connection with the interface of a plain one.

Theory of operation. The ``ssl`` object stands between two memory buffers (``ssl.MemoryBIO``) instead of on the socket:
bytes from the network are put into one, bytes for the network are taken from the other. A lock guards the TLS state,
and the socket itself is waited on without it. So a reader that waits never keeps a writer waiting, and a ``tap`` can be
shown exactly what goes over the wire.

    send(text) -> SSLObject.write -> outgoing BIO -> socket
    receive()  <- SSLObject.read  <- incoming BIO <- socket

The client always checks the server's certificate and that it was made for the host name or address it asked for;
nothing switches that off. TLS 1.2 and 1.3 only (RFC 8996 withdrew the older ones). A *key log* holds the secrets of
each session, so that Wireshark can open the recording: it is written only where somebody asks for it by name.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.chat.connection import READ_BYTES, Connection, ConnectionLost, Tap, reason
from lab.chat.login import ChatError, Login
from lab.chat.private_file import make_private

TLS_HANDSHAKE = b"\x16"  # the first byte of every TLS connection (RFC 8446 section 5.1)
NO_TLS_HERE = bytes([0x15, 3, 1, 0, 2, 2, 70])  # an alert: fatal, protocol_version (RFC 8446 section 6)
UNKNOWN_AUTHORITY = (18, 19, 20, 21)  # X509_V_ERR_* of OpenSSL: self-signed, or its issuer is not trusted
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsError(OSError):
    """A certificate or key that cannot be used; the text says which and what to do."""


def server_context(certificate: Path | str, key: Path | str, version: str | None = None) -> ssl.SSLContext:
    """Return a server's context. ``version`` is "1.2" or "1.3" to allow that one alone. Raises TlsError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, version)
    pair = f"use the certificate {certificate} with the key {key}"
    with _explained(pair, "make a pair with: python3 lab certs DIR"):
        # A key under a password would make OpenSSL ask at the terminal, in a thread's stead: refuse it instead.
        context.load_cert_chain(certificate, key, password=lambda: "")
    context.num_tickets = 0  # session tickets travel as application data and would count as messages
    return context


def client_context(
    ca_file: Path | str | None = None, version: str | None = None, key_log: Path | str | None = None
) -> ssl.SSLContext:
    """Return a client's context, which trusts ``ca_file`` alone, or without one the system's authorities. Raises TlsError."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, version)  # checks certificate and host name
    with _explained(f"read the CA file {ca_file}", "use the ca.pem that `lab certs` wrote beside server.pem"):
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.load_default_certs()
    if key_log:
        with _explained(f"write the key log {key_log}", "choose another file"):
            make_private(key_log)
            context.keylog_filename = str(key_log)
    return context


def _context(protocol: int, version: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = VERSIONS[version or "1.2"]
    context.maximum_version = VERSIONS[version or "1.3"]
    return context


@contextlib.contextmanager
def _explained(step: str, what_next: str) -> Iterator[None]:
    """Turn an error in a step with somebody's files into a TlsError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise TlsError(f"cannot {step}: {reason(error)}; {what_next}") from error


def accept(sock: socket.socket, context: ssl.SSLContext | None, deadline_s: float) -> Connection:
    """Return a server's connection, plaintext or TLS, as the client's first byte says. Raises ConnectionLost."""
    plain = Connection(sock, deadline_s)
    if sock.recv(1, socket.MSG_PEEK) != TLS_HANDSHAKE:
        return plain
    if context:
        return TlsConnection(sock, context, deadline_s=deadline_s)
    with contextlib.suppress(OSError):
        plain.send(NO_TLS_HERE)
        plain.finish()
    raise ConnectionLost("a TLS client on a plaintext port")


def connect(login: Login, deadline_s: float) -> Connection:
    """Return a client's connection, over TLS where there is a context. Raises ChatError with a line for people."""
    where = f"{login.host} port {login.port}"
    try:
        if not 0 < login.port <= 65_535:  # getaddrinfo would quietly take another one
            raise OverflowError("a port is a number from 1 to 65535")
        sock = login.dial((login.host, login.port), deadline_s)
    except socket.gaierror as error:
        raise ChatError(f"No host has the name {login.host!r}: check the host box or --host.") from error
    except (ConnectionRefusedError, TimeoutError) as error:
        what_next = "is it running, and does a firewall let it through?"
        raise ChatError(f"No server answers at {where}: {what_next}") from error
    except (OSError, OverflowError, UnicodeError) as error:
        raise ChatError(f"Cannot connect to {where}: {reason(error)}.") from error
    try:
        if login.tls:
            return TlsConnection(sock, login.tls, login.server_name or login.host, deadline_s, login.tap)
        return Connection(sock, deadline_s, login.tap)
    except OSError as error:
        sock.close()
        raise ChatError(f"{where}: {reason(error)}.") from error


class TlsConnection(Connection):
    """The same over TLS. The constructor does the handshake and raises ConnectionLost where it fails.

    ``server_name`` is what the certificate must be made for; None at the server itself.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_name: str | None = None,
        deadline_s: float | None = None,
        tap: Tap | None = None,
    ):
        super().__init__(sock, deadline_s, tap)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_name is None, server_name)
        self._state = threading.Lock()
        try:
            self._handshake()
        except ssl.SSLError as error:
            with contextlib.suppress(OSError):
                super().send(self._outgoing.read())  # the alert, which says why
            raise ConnectionLost(explain_tls_error(error)) from error
        self.cipher = (self._tls.cipher() or [None])[0]

    def _handshake(self) -> None:
        while not self.tls_version:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                self.tls_version = self._tls.version()
            super().send(self._outgoing.read())
            if not self.tls_version:
                self._feed()

    def _feed(self) -> None:
        """Wait for bytes from the network, and pass them on to TLS."""
        received = super().receive(READ_BYTES)
        with self._state:
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()

    def receive(self, limit: int) -> bytes:
        """Return the next bytes, as in plaintext.

        What TLS itself wants to say meanwhile waits for the next send, since the thread that writes may be in the
        middle of a record (RFC 8446 section 4.6.3 lets an answer wait that long).
        """
        while True:
            try:
                with self._state:
                    return self._tls.read(limit)
            except ssl.SSLWantReadError:
                self._feed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise ConnectionLost(explain_tls_error(error)) from error

    def send(self, data: bytes) -> None:
        with self._sending:  # over both steps: TLS records must leave in the order in which they were sealed
            super().send(self._seal(data))

    def send_nowait(self, pieces: Sequence[bytes]) -> int:
        return super().send_nowait([self._seal(data) for data in pieces])

    def _seal(self, data: bytes) -> bytes:
        """Return the TLS records that carry ``data``."""
        with self._state:
            rest = memoryview(data)
            while rest:
                rest = rest[self._tls.write(rest) :]
            return self._outgoing.read()

    def _say_goodbye(self) -> None:
        """The alert close_notify (RFC 8446 section 6.1), by which the other side knows that nothing was cut off."""
        with self._state:
            with contextlib.suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()  # fails, since it wants the peer's farewell as well; but ours is written by then
            farewell = self._outgoing.read()
        with contextlib.suppress(OSError):
            super().send_nowait([farewell])  # a socket that is full goes without
            if self.tap and farewell and not self.unsent_bytes:
                self.tap("sent", farewell)


def explain_tls_error(error: ssl.SSLError) -> str:
    """Return one line for a TLS failure, with what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = f"the server's certificate is not trusted: {error.verify_message.rstrip('.')}"
        unknown = error.verify_code in UNKNOWN_AUTHORITY
        return f"{problem}; name its authority, such as --cafile my-certs/ca.pem" if unknown else problem
    if isinstance(error, ssl.SSLEOFError):
        return "the other side closed the connection in the middle of TLS"
    failure = (error.reason or str(error)).replace("_", " ").lower()
    if failure in ("wrong version number", "http request", "packet length too long", "unknown protocol"):
        return "the other side does not speak TLS on this port"
    if "alert protocol version" in failure:
        return "the other side speaks another version of TLS, or none on this port"
    if "alert" in failure:
        return f"the other side refused TLS with the alert: {failure.split('alert ')[-1]}"
    return f"TLS failed: {failure}"
