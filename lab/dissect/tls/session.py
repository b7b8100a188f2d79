"""One TLS connection, as far as it can be read: what is in the clear, and what a key log opens.

    ClientHello   ---->                          in the clear
                  <----  ServerHello             in the clear
                  <----  {certificate, ...}      TLS 1.3: under the handshake keys; TLS 1.2: in the clear
    {Finished}    ---->                          under the handshake keys (1.3), under the session's (1.2)
    [data]        <--->  [data]                  under the application keys

Everything is decrypted per direction, record by record, in order: the nonce of a record is its number,
which is never sent (RFC 8446 section 5.3). So a gap ends it. The Finished messages are checked against the
whole handshake.

Opened are TLS 1.2 and 1.3 with AES-GCM and ChaCha20-Poly1305, including key updates and repeated hellos.
Not opened: early data (0-RTT), what follows a renegotiation, CBC, CCM and PSK suites, TLS 1.1 and older.
What is not opened is never taken for plaintext: a record of application data is always ciphertext, and so is
all that follows a change cipher spec up to TLS 1.2. Where the hellos are not in the capture, a handshake record
is clear only if whole messages fill it, and an alert only if it is two bytes long.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.dissect.fields.tls import RETRY_RANDOM, dissect_handshake
from lab.dissect.fields.tls_extensions import CLIENT_HELLO, SERVER_HELLO
from lab.dissect.fields.tree import Cursor, Field
from lab.dissect.tcp.flows import Flow
from lab.dissect.tls import key_schedule
from lab.dissect.tls import names as tls_names
from lab.dissect.tls.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CONTENT_NAMES,
    HANDSHAKE,
    Record,
    read_records,
)

END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS, CERTIFICATE, FINISHED, KEY_UPDATE = 5, 8, 11, 20, 24
EARLY_DATA = 42  # the extension (RFC 8446 section 4.2.10)
TLS_12, TLS_13 = 0x0303, 0x0304
LARGEST_MESSAGE = 1 << 20  # bytes; a handshake message that claims more is not waited for


@dataclass
class OpenRecord:
    """A record and, where it could be read, what it holds. ``content_type`` is the inner, true one where
    known.
    """

    record: Record
    from_initiator: bool
    encrypted: bool
    content_type: int
    plaintext: bytes | None  # None: encrypted, and not opened
    padding: int = 0  # zeros behind the content (TLS 1.3)

    @property
    def name(self) -> str:
        return CONTENT_NAMES.get(self.content_type, f"type {self.content_type}")


@dataclass
class Message:
    """A handshake message, put together from as many records as it took."""

    kind: int
    data: bytes  # header and body
    from_initiator: bool
    frame_number: int  # where it is complete
    time_ns: int

    @property
    def name(self) -> str:
        return tls_names.HANDSHAKES.get(self.kind, f"Message {self.kind}")

    @property
    def tree(self) -> Field:
        """The message field by field."""
        return dissect_handshake(Cursor(self.data, 0, len(self.data)))


@dataclass(frozen=True)
class CertificateNames:
    """Who a certificate speaks of, as text."""

    subject: str
    issuer: str
    alternative_names: tuple[str, ...]
    not_before: str
    not_after: str


@dataclass
class TlsSession:
    """What is known of one connection. ``problem`` says why not all of it could be opened, or is None."""

    flow: Flow
    records: list[OpenRecord] = field(
        default_factory=list
    )  # both directions, in the order of their completion
    messages: list[Message] = field(default_factory=list)
    version: int | None = None  # agreed, 0x0304
    suite_number: int | None = None
    keys_found: bool = False
    finished: dict[str, bool] = field(
        default_factory=dict
    )  # "initiator", "responder": does its Finished verify
    problem: str | None = None

    @property
    def version_name(self) -> str | None:
        return None if self.version is None else tls_names.VERSIONS.get(self.version, f"0x{self.version:04x}")

    @property
    def suite_name(self) -> str | None:
        number = self.suite_number
        return None if number is None else tls_names.CIPHERS.get(number, f"0x{number:04x}")

    @property
    def client_hello(self) -> Field | None:
        return self._first(CLIENT_HELLO)

    @property
    def server_hello(self) -> Field | None:
        return self._first(SERVER_HELLO)

    def _first(self, kind: int) -> Field | None:
        return next((message.tree for message in self.messages if message.kind == kind), None)

    def _offered(self, key: str) -> list:
        hello = self.client_hello
        return [] if hello is None else [one.value for one in hello.walk() if one.key == key]

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for, in the clear (SNI)."""
        return next(iter(self._offered("tls.handshake.extensions_server_name")), None)

    @property
    def offered_versions(self) -> list[str]:
        numbers = self._offered("tls.handshake.extensions.supported_version") or self._offered(
            "tls.handshake.version"
        )
        return [tls_names.VERSIONS.get(number, f"0x{number:04x}") for number in numbers]

    @property
    def offered_suites(self) -> list[str]:
        numbers = self._offered("tls.handshake.ciphersuite")
        return [tls_names.CIPHERS.get(number, f"0x{number:04x}") for number in numbers]

    @property
    def offered_groups(self) -> list[str]:
        numbers = self._offered("tls.handshake.extensions_supported_group")
        return [tls_names.GROUPS.get(number, f"0x{number:04x}") for number in numbers]

    @property
    def offered_protocols(self) -> list[str]:
        """Application protocols (ALPN)."""
        return self._offered("tls.handshake.extensions_alpn_str")

    @property
    def certificates(self) -> list[bytes]:
        """DER, of the first Certificate message: in TLS 1.2 anyone can read it, in 1.3 only who has the
        keys.
        """
        message = next((one for one in self.messages if one.kind == CERTIFICATE), None)
        if message is None:
            return []
        return [one.value for one in message.tree.walk() if one.key == "tls.handshake.certificate"]

    @property
    def alerts(self) -> list[tuple[OpenRecord, str]]:
        """The alerts that could be read, each with its text ("fatal: handshake_failure")."""
        found = []
        for one in self.records:
            if one.content_type == ALERT and one.plaintext is not None and len(one.plaintext) == 2:
                level, what = one.plaintext
                names = tls_names.ALERT_LEVELS.get(level, str(level)), tls_names.ALERTS.get(what, str(what))
                found.append((one, ": ".join(names)))
        return found

    def data(self, from_initiator: bool) -> bytes:
        """The application data of one direction, as far as it was opened."""
        return b"".join(
            one.plaintext
            for one in self.records
            if one.from_initiator == from_initiator
            and one.content_type == APPLICATION_DATA
            and one.plaintext is not None
        )


def certificate_names(der: bytes) -> CertificateNames | None:
    """Return the names in a certificate; None for bytes that are not one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers and the like, which nobody asked about
        return _certificate_names(der)


def _certificate_names(der: bytes) -> CertificateNames | None:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    unusable = (
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        UnsupportedAlgorithm,
    )
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = []
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                names = [str(name.value) for name in extension.value]
        return CertificateNames(
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            tuple(names),
            certificate.not_valid_before_utc.isoformat(),
            certificate.not_valid_after_utc.isoformat(),
        )
    except (ValueError, TypeError, *unusable):
        return None


class _Direction:
    """The reader of one direction: its records, its keys, and the message that is not complete yet."""

    def __init__(self, from_initiator: bool, records: list[Record]):
        self.from_initiator = from_initiator
        self.waiting = records
        self.aead = None
        self.iv = b""
        self.sequence = 0
        self.secret = b""  # the traffic secret in use (TLS 1.3)
        self.encrypted = False  # from here on everything is
        self.failed = False
        self.early = False  # early data was offered, and no record under the handshake keys has come yet
        self.partial = b""

    def set_keys(self, key: bytes, iv: bytes, suite: key_schedule.Suite) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        self.aead = AESGCM(key) if suite.cipher == "AES-GCM" else ChaCha20Poly1305(key)
        self.iv, self.sequence = iv, 0

    def set_secret(self, secret: bytes, suite: key_schedule.Suite) -> None:
        self.secret = secret
        self.set_keys(*key_schedule.traffic_key(secret, suite), suite)

    def nonce(self) -> bytes:
        """RFC 8446 section 5.3: the record's number, combined with the IV by exclusive or."""
        number = self.sequence.to_bytes(12, "big")
        return bytes(a ^ b for a, b in zip(self.iv, number, strict=True))

    def open_13(self, record: Record) -> tuple[int, bytes, int] | None:
        """(inner content type, content, padding), or None where the key does not fit (RFC 8446 section
        5.2).
        """
        header = (
            bytes([record.content_type])
            + record.version.to_bytes(2, "big")
            + record.length.to_bytes(2, "big")
        )
        inner = self._decrypt(self.nonce(), record.payload, header)
        if inner is None:
            return None
        content = inner.rstrip(b"\0")
        if not content:
            return None
        return content[-1], content[:-1], len(inner) - len(content)

    def open_12(self, record: Record, suite: key_schedule.Suite) -> bytes | None:
        """Return the content, or None where the key does not fit (RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905)."""
        payload = record.payload
        if suite.cipher == "AES-GCM":
            nonce, payload = self.iv + payload[:8], payload[8:]
        else:
            nonce = self.nonce()
        additional = self.sequence.to_bytes(8, "big") + bytes([record.content_type])
        additional += record.version.to_bytes(2, "big") + max(0, len(payload) - 16).to_bytes(2, "big")
        return self._decrypt(nonce, payload, additional)

    def _decrypt(self, nonce: bytes, payload: bytes, additional: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        if len(payload) < 16:
            return None
        try:
            plain = self.aead.decrypt(nonce, payload, additional)
        except InvalidTag:
            return None
        self.sequence += 1
        return plain


def _whole_messages(data: bytes) -> bool:
    """Whether ``data`` is handshake messages of known types from its first byte to its last."""
    at = 0
    while at + 4 <= len(data) and data[at] in tls_names.HANDSHAKES:
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return at == len(data) > 0


def _has_extension(message: Message, kind: int) -> bool:
    key = "tls.handshake.extension.type"
    return any(one.key == key and one.value == kind for one in message.tree.walk())


def open_flow(flow: Flow, key_logs: Iterable[bytes] = ()) -> TlsSession | None:
    """Read the TLS connection that ``flow`` is; return None if it is not one.

    ``key_logs`` are texts in the NSS format; secrets that the capture file itself carries are used as well.
    """
    records = [read_records(flow.from_initiator), read_records(flow.from_responder)]
    if not any(records):
        return None
    directions = [_Direction(way == 0, list(found)) for way, found in enumerate(records)]
    secrets = {}
    for text in (*flow.segments.capture.secrets, *key_logs):
        secrets |= key_schedule.parse_key_log(text)
    session = _Opener(flow, directions, secrets).run()
    session.problem = session.problem or next((found.problem for found in records if found.problem), None)
    return session


class _Opener:
    """Goes through both directions' records in the order in which they were complete on the wire."""

    def __init__(self, flow: Flow, directions: list[_Direction], secrets: dict[tuple[str, bytes], bytes]):
        self.session = TlsSession(flow)
        self.directions = directions
        self.secrets = secrets
        self.client_random = self.server_random = b""
        self.suite: key_schedule.Suite | None = None
        self.master = b""  # TLS 1.2
        self.retried = False  # the server has sent a HelloRetryRequest

    def run(self) -> TlsSession:
        order = sorted(
            ((record.complete_ns, record.frame_number, place, way) for way in self.directions
             for place, record in enumerate(way.waiting)),
            key=lambda item: item[:3],
        )  # fmt: skip
        for _, _, place, way in order:
            self._read(way, way.waiting[place])
        if self.session.problem is None and any(one.plaintext is None for one in self.session.records):
            self.session.problem = self._why_not()
        self._verify_finished()
        return self.session

    def _why_not(self) -> str:
        session = self.session
        if session.version not in (None, TLS_12, TLS_13):
            return f"{session.version_name} is not opened: this kit opens TLS 1.2 and TLS 1.3"
        if session.suite_number is not None and self.suite is None:
            return f"the cipher suite {session.suite_name} is not one that this kit opens"
        if not self.client_random:
            return "the capture does not hold the ClientHello, so no key can be found for it"
        if session.version is None:
            return "the capture does not hold the ServerHello, so version and cipher suite are not known"
        if not session.keys_found:
            return "there is no key for this connection: record with a key log (SSLKEYLOGFILE)"
        if not any(way.failed for way in self.directions):
            return "the client sent early data (0-RTT), which this kit does not open"
        return (
            "some records do not fit their keys: the key log is of another connection, or a part is missing"
        )

    def _read(self, way: _Direction, record: Record) -> None:
        plain, content_type, padding = record.payload, record.content_type, 0
        encrypted = self._is_encrypted(way, record)
        if encrypted:
            plain, content_type, padding = self._open(way, record)
        self.session.records.append(
            OpenRecord(record, way.from_initiator, encrypted, content_type, plain, padding)
        )
        if record.content_type == CHANGE_CIPHER_SPEC and self.session.version != TLS_13 and not self.retried:
            self._change_cipher(way, record)
        if plain is not None and content_type == HANDSHAKE:
            self._handshake(way, record, plain)

    def _is_encrypted(self, way: _Direction, record: Record) -> bool:
        kind = record.content_type
        if kind == APPLICATION_DATA:
            return True
        if kind == CHANGE_CIPHER_SPEC or self.session.version == TLS_13:
            return (
                False  # before its own keys are on, a client of TLS 1.3 may still send an alert in the clear
            )
        if way.encrypted:
            return True
        if self.session.version is not None or self.client_random:
            return False
        # The capture may have begun behind the handshake.
        if kind == HANDSHAKE:
            begun = way.partial or record.payload[:2] == bytes([CLIENT_HELLO, 0])
            return not begun and not _whole_messages(record.payload)
        return record.length != 2

    def _open(self, way: _Direction, record: Record) -> tuple[bytes | None, int, int]:
        if way.aead is None or way.failed:
            return None, record.content_type, 0
        if self.session.version == TLS_13:
            opened = way.open_13(record)
            if opened is not None:
                way.early = False
                return opened[1], opened[0], opened[2]
            if way.early:  # of another key, as a server sees it that does not take early data
                return None, record.content_type, 0
        else:
            plain = way.open_12(record, self.suite)
            if plain is not None:
                return plain, record.content_type, 0
        way.failed = True  # the numbers of all later records are unknown now
        return None, record.content_type, 0

    def _handshake(self, way: _Direction, record: Record, plain: bytes) -> None:
        way.partial += plain
        while len(way.partial) >= 4:
            length = 4 + int.from_bytes(way.partial[1:4], "big")
            if length > LARGEST_MESSAGE:
                self.session.problem = (
                    f"a handshake message that claims {length} bytes (frame {record.frame_number})"
                )
                way.partial = b""
                return
            if len(way.partial) < length:
                return
            data, way.partial = way.partial[:length], way.partial[length:]
            message = Message(data[0], data, way.from_initiator, record.frame_number, record.complete_ns)
            self.session.messages.append(message)
            self._take(way, message)

    def _take(self, way: _Direction, message: Message) -> None:
        """Let a message change what is known: hellos name the keys, Finished and KeyUpdate change them."""
        if message.kind == CLIENT_HELLO and way.from_initiator:
            self.client_random = message.tree.get("tls.handshake.random", b"")
            way.early = _has_extension(message, EARLY_DATA)
        elif message.kind == SERVER_HELLO and not way.from_initiator:
            self._server_hello(message.tree)
        elif self.session.version == TLS_13 and self.suite is not None and way.aead is not None:
            if message.kind == FINISHED:
                label = "CLIENT_TRAFFIC_SECRET_0" if way.from_initiator else "SERVER_TRAFFIC_SECRET_0"
                self._use(way, label)
            elif message.kind == KEY_UPDATE:
                way.set_secret(key_schedule.next_traffic_secret(way.secret, self.suite), self.suite)

    def _server_hello(self, hello: Field) -> None:
        self.server_random = hello.get("tls.handshake.random", b"")
        if self.server_random == RETRY_RANDOM:  # the client says hello again, and this was not the answer
            self.retried = True
            for way in self.directions:
                way.encrypted = False
            return
        version = hello.get("tls.handshake.extensions.supported_version", hello.get("tls.handshake.version"))
        self.session.version = version
        self.session.suite_number = hello.get("tls.handshake.ciphersuite")
        self.suite = key_schedule.find_suite(self.session.suite_number or 0)
        if version == TLS_13:
            for way in self.directions:
                way.encrypted = True
                label = "CLIENT" if way.from_initiator else "SERVER"
                self._use(way, f"{label}_HANDSHAKE_TRAFFIC_SECRET")

    def _use(self, way: _Direction, label: str) -> None:
        secret = self.secrets.get((label, self.client_random))
        if secret is None or self.suite is None:
            way.aead = None
            return
        self.session.keys_found = True
        way.set_secret(secret, self.suite)

    def _change_cipher(self, way: _Direction, record: Record) -> None:
        """Behind its change cipher spec a direction of TLS 1.2 or older is encrypted."""
        if way.encrypted:
            way.failed = True
            problem = f"the connection was renegotiated (frame {record.frame_number}), which this kit does not follow"
            self.session.problem = self.session.problem or problem
            return
        way.encrypted = True
        self.master = self.secrets.get(("CLIENT_RANDOM", self.client_random), b"")
        if not self.master or self.suite is None or self.session.version != TLS_12:
            return
        self.session.keys_found = True
        client, server = key_schedule.key_block(
            self.master, self.client_random, self.server_random, self.suite
        )
        way.set_keys(*(client if way.from_initiator else server), self.suite)

    def _verify_finished(self) -> None:
        """Compute each Finished message from the handshake before it, and note whether it is that."""
        if self.suite is None or self.session.version not in (TLS_12, TLS_13):
            return
        messages = self._in_protocol_order()
        for place, message in enumerate(messages):
            if message.kind != FINISHED:
                continue
            who = "initiator" if message.from_initiator else "responder"
            before = self._transcript(messages[:place])
            if self.session.version == TLS_13:
                label = "CLIENT" if message.from_initiator else "SERVER"
                secret = self.secrets.get((f"{label}_HANDSHAKE_TRAFFIC_SECRET", self.client_random))
                if secret is None:
                    continue
                expected = key_schedule.finished_13(secret, before, self.suite.hash_name)
            else:
                label = "client finished" if message.from_initiator else "server finished"
                expected = key_schedule.finished_12(self.master, label, before, self.suite.hash_name)
            self.session.finished[who] = message.data[4:] == expected

    def _in_protocol_order(self) -> list[Message]:
        """Handshake messages up to the last Finished, in the order that both ends saw, not in that of the
        wire.
        """
        messages = [one for one in self.session.messages if one.kind != KEY_UPDATE]
        if self.session.version != TLS_13:
            return messages
        hellos = [one for one in messages if one.kind == CLIENT_HELLO]
        server = [one for one in messages if not one.from_initiator]
        client = [one for one in messages if one.from_initiator and one.kind != CLIENT_HELLO]
        finished = next((i for i, one in enumerate(server) if one.kind == FINISHED), len(server))
        ordered = hellos[:1]
        if len(hellos) > 1:
            ordered += [server[0], hellos[1], *server[1 : finished + 1]]
        else:
            ordered += server[: finished + 1]
        if any(one.kind == ENCRYPTED_EXTENSIONS and _has_extension(one, EARLY_DATA) for one in server):
            # Taken early data ends with a message under the early keys, which is always the same.
            ordered.append(Message(END_OF_EARLY_DATA, b"\5\0\0\0", True, 0, 0))
        return ordered + client

    def _transcript(self, messages: list[Message]) -> bytes:
        """The messages end to end; behind a retry the first hello is replaced by its hash (RFC 8446 section
        4.4.1).
        """
        import hashlib

        hellos = [one for one in messages if one.kind == CLIENT_HELLO]
        whole = b"".join(one.data for one in messages)
        if self.session.version == TLS_13 and len(hellos) > 1:
            first = hellos[0].data
            digest = hashlib.new(self.suite.hash_name, first).digest()
            whole = b"\xfe\0\0" + bytes([len(digest)]) + digest + whole[len(first) :]
        return whole
