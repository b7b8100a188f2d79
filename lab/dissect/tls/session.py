"""One TLS connection, as far as it can be read: what is in the clear, and what a key log opens.

    ClientHello   ---->                          in the clear
                  <----  ServerHello             in the clear
                  <----  {certificate, ...}      TLS 1.3: under the handshake keys; TLS 1.2: in the clear
    {Finished}    ---->                          under the handshake keys (1.3), under the session's (1.2)
    [data]        <--->  [data]                  under the application keys

Everything is decrypted per direction, record by record, in order (``direction``); a gap ends it.

TLS 1.2 and 1.3 are opened with AES-GCM and ChaCha20-Poly1305, TLS 1.2 also with AES-CBC, including pre-shared keys, key
updates and repeated hellos. Not opened: early data (0-RTT), what follows a renegotiation, CCM, TLS 1.1 and older. What is
not opened is never taken for plaintext: a record of application data is always ciphertext, and so is all that
follows a change cipher spec up to TLS 1.2. Where the hellos are not in the capture, a handshake record is
clear only if whole messages fill it, and an alert only if it is two bytes long.
"""

from collections.abc import Iterable, Iterator

from lab.dissect.fields.tls_extensions import CLIENT_HELLO, SERVER_HELLO
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.turns import Turn
from lab.dissect.tls import key_schedule, names
from lab.dissect.tls.direction import TLS_12, TLS_13, Direction
from lab.dissect.tls.messages import OpenRecord, TlsMessage, TlsSession
from lab.dissect.tls.records import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER,
    Record,
    read_records,
)

FINISHED, KEY_UPDATE = 20, 24
ENCRYPT_THEN_MAC = 22  # the extension (RFC 7366)
EARLY_DATA = 42  # the extension (RFC 8446 section 4.2.10)
LARGEST_MESSAGE = 1 << 20  # bytes; a handshake message that claims more is not waited for


def open_flow(flow: Flow, key_logs: Iterable[bytes] = ()) -> TlsSession | None:
    """Read the TLS connection of ``flow``; return None if it is not one.

    ``key_logs`` are texts in the NSS format; secrets that the capture file itself carries are used as well.
    """
    streams = flow.from_initiator, flow.from_responder
    records = [read_records(stream) for stream in streams]
    if not any(records):
        return None
    secrets: dict[tuple[str, bytes], bytes] = {}
    for text in (*flow.segments.capture.secrets, *key_logs):
        secrets |= key_schedule.parse_key_log(text)
    client, server = map(Direction, (True, False), streams, records)
    session = _Opener(flow, client, server, secrets).run()
    session.problem = session.problem or next((found.problem for found in records if found.problem), None)
    return session


def decrypted_turns(session: TlsSession) -> Iterator[Turn]:
    """Yield what both sides wrote inside TLS, a record a turn."""
    for one in session.records:
        if one.content_type == APPLICATION_DATA and one.plaintext:
            yield Turn(0 if one.from_initiator else 1, one.record.frame_number, one.plaintext, 0)


class _Opener:
    """A reader of both directions' records, in the order in which they were complete on the wire."""

    def __init__(
        self, flow: Flow, client: Direction, server: Direction, secrets: dict[tuple[str, bytes], bytes]
    ) -> None:
        self.session = TlsSession(flow)
        self.directions = client, server
        self.secrets = secrets
        self.client_random = self.server_random = b""
        self.suite: key_schedule.Suite | None = None
        self.encrypt_then_mac = False  # agreed, for CBC
        self.retried = False  # the server has sent a HelloRetryRequest

    def run(self) -> TlsSession:
        records = [
            (record.complete_ns, record.frame_number, place, way, record)
            for way in self.directions
            for place, record in enumerate(way.records)
        ]
        for *_, way, record in sorted(records, key=lambda one: one[:3]):
            self._read(way, record)
        if self.session.problem is None and any(one.plaintext is None for one in self.session.records):
            self.session.problem = self._why_not()
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
            return "there is no key for this connection: pass its key log, or record with one (SSLKEYLOGFILE)"
        if any(way.failed for way in self.directions):
            return "some records do not fit their keys: the key log is of another connection, or incomplete"
        return "the client sent early data (0-RTT), which this kit does not open"

    def _read(self, way: Direction, record: Record) -> None:
        encrypted = self._is_encrypted(way, record)
        found = OpenRecord(record, way.from_initiator, encrypted, record.content_type, None)
        if not encrypted:
            found.plaintext = record.payload
        elif opened := way.open(record, self.session.version):
            found.content_type, found.plaintext, found.place, found.padding = opened
        self.session.records.append(found)
        if record.content_type == CHANGE_CIPHER_SPEC and self.session.version != TLS_13 and not self.retried:
            self._change_cipher(way, record)
        if found.plaintext is not None and found.content_type == HANDSHAKE:
            self._handshake(way, found)

    def _is_encrypted(self, way: Direction, record: Record) -> bool:
        kind = record.content_type
        if kind == APPLICATION_DATA:
            return True
        if kind == CHANGE_CIPHER_SPEC or self.session.version == TLS_13:
            # Before its own keys are on, a client of TLS 1.3 may still send an alert in the clear.
            return False
        if way.encrypted:
            return True
        if self.session.version is not None or self.client_random:
            return False
        # The capture may have begun behind the handshake.
        if kind == HANDSHAKE:
            begun = way.partial or record.payload[:2] == bytes([CLIENT_HELLO, 0])
            return not begun and not _whole_messages(record.payload)
        return record.length != 2

    def _handshake(self, way: Direction, opened: OpenRecord) -> None:
        record = opened.record
        way.places.append((len(way.partial), record.offset + HEADER + opened.place))
        way.partial += opened.plaintext or b""
        while len(way.partial) >= 4:
            length = 4 + int.from_bytes(way.partial[1:4], "big")
            if length > LARGEST_MESSAGE:
                where = f"frame {record.frame_number}"
                self.session.problem = f"a handshake message that claims {length} bytes ({where})"
                way.partial, way.places = b"", []
                return
            if len(way.partial) < length:
                return
            data, places = way.take_message(length)
            end = record.frame_number, record.complete_ns
            message = TlsMessage(
                data[0], data, way.from_initiator, *end, way.stream, places, opened.encrypted
            )
            self.session.messages.append(message)
            self._take(way, message)

    def _take(self, way: Direction, message: TlsMessage) -> None:
        """Let a message change what is known: hellos name the keys, Finished and KeyUpdate change them."""
        if message.kind == CLIENT_HELLO and way.from_initiator:
            self.client_random = message.tree.get("tls.handshake.random", b"")
            way.early = EARLY_DATA in message.values("tls.handshake.extension.type")
        elif message.kind == SERVER_HELLO and not way.from_initiator:
            self._server_hello(message)
        elif self.session.version == TLS_13 and self.suite is not None and way.cipher is not None:
            if message.kind == FINISHED:
                self._use_secret(way, "TRAFFIC_SECRET_0")
            elif message.kind == KEY_UPDATE:
                way.set_secret(key_schedule.next_traffic_secret(way.secret, self.suite), self.suite)

    def _server_hello(self, message: TlsMessage) -> None:
        if message.is_retry:  # the client repeats its hello, and this was not the answer
            self.retried = True
            for way in self.directions:
                way.encrypted = False
            return
        hello = message.tree
        self.server_random = hello.get("tls.handshake.random", b"")
        old_version = hello.get("tls.handshake.version")
        self.session.version = hello.get("tls.handshake.extensions.supported_version", old_version)
        self.session.suite_number = hello.get("tls.handshake.ciphersuite")
        self.suite = key_schedule.find_suite(self.session.suite_number or 0)
        self.encrypt_then_mac = ENCRYPT_THEN_MAC in message.values("tls.handshake.extension.type")
        if self.session.version == TLS_13:
            for way in self.directions:
                way.encrypted = True
                self._use_secret(way, "HANDSHAKE_TRAFFIC_SECRET")

    def _use_secret(self, way: Direction, label: str) -> None:
        side = "CLIENT" if way.from_initiator else "SERVER"
        secret = self.secrets.get((f"{side}_{label}", self.client_random))
        if secret is None or self.suite is None:
            way.cipher = None
            return
        self.session.keys_found = True
        way.set_secret(secret, self.suite)

    def _change_cipher(self, way: Direction, record: Record) -> None:
        """Behind its change cipher spec a direction of TLS 1.2 or older is encrypted."""
        if way.encrypted:
            way.failed = True
            problem = f"the connection was renegotiated (frame {record.frame_number}), which this kit does not follow"
            self.session.problem = self.session.problem or problem
            return
        way.encrypted = True
        master = self.secrets.get(("CLIENT_RANDOM", self.client_random))
        if not master or self.suite is None or self.session.version != TLS_12:
            return
        self.session.keys_found = True
        randoms = self.client_random, self.server_random
        client, server = key_schedule.key_block(master, *randoms, self.suite)
        way.set_keys(client if way.from_initiator else server, self.suite)
        way.mac_last = self.encrypt_then_mac


def _whole_messages(data: bytes) -> bool:
    """Return whether ``data`` is handshake messages of known types from its first byte to its last."""
    at = 0
    while at + 4 <= len(data) and data[at] in names.HANDSHAKES:
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return at == len(data) > 0
