"""The reader of one direction of a TLS connection: its keys, and the records that it opens with them.

A record is decrypted with a nonce made of its number, which is never sent (RFC 8446 section 5.3): so records
are opened in order, and one that cannot be opened ends it.
"""

import hmac
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab.dissect.tcp.streams import Stream
from lab.dissect.tls import key_schedule
from lab.dissect.tls.key_schedule import Keys, Suite
from lab.dissect.tls.records import HEADER_FORMAT, Record

TLS_12, TLS_13 = 0x0303, 0x0304
TAG = 16  # bytes, of all ciphers here
BLOCK = 16  # bytes, of AES


class Opened(NamedTuple):
    """What is in an encrypted record; ``place`` is where it, or its ciphertext, begins in the record's payload."""

    content_type: int
    content: bytes
    place: int = 0
    padding: int = 0  # bytes


@dataclass
class Direction:
    """The state of one direction so far."""

    from_initiator: bool
    stream: Stream
    records: list[Record]
    suite: Suite | None = None
    cipher: Any = None  # of ``cryptography``; None: there is no key
    iv: bytes = b""
    mac_key: bytes = b""  # of CBC
    mac_last: bool = False  # with CBC: the MAC is over the ciphertext (RFC 7366), not inside it
    sequence: int = 0
    secret: bytes = b""  # the traffic secret in use (TLS 1.3)
    encrypted: bool = False  # from here on everything is
    failed: bool = False  # a record did not open, so the numbers of all later ones are unknown
    early: bool = False  # early data was offered, and no record under the handshake keys has come yet
    partial: bytes = b""  # the handshake message that is not complete yet
    places: list[tuple[int, int]] = field(default_factory=list)  # of its bytes (``TlsMessage.places``)

    def take_message(self, length: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Take so many bytes from the beginning of ``partial``; return them and their places."""
        data, self.partial = self.partial[:length], self.partial[length:]
        places = [place for place in self.places if place[0] < length]
        start, offset = places[-1]
        behind = [(start - length, offset) for start, offset in self.places[len(places) :]]
        self.places = [(0, offset + length - start), *behind] if self.partial else []
        return data, places

    def set_keys(self, keys: Keys, suite: Suite) -> None:
        from cryptography.hazmat.primitives.ciphers import algorithms
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        kinds = {"AES-GCM": AESGCM, "AES-CBC": algorithms.AES, "CHACHA20-POLY1305": ChaCha20Poly1305}
        self.cipher = kinds[suite.cipher](keys.key)
        self.suite, self.iv, self.mac_key, self.sequence = suite, keys.base_iv, keys.mac_key, 0

    def set_secret(self, secret: bytes, suite: Suite) -> None:
        self.secret = secret
        self.set_keys(key_schedule.traffic_key(secret, suite), suite)

    def open(self, record: Record, version: int | None) -> Opened | None:
        """Return what is in an encrypted record of TLS ``version``; None if it cannot be opened."""
        if self.cipher is None or self.suite is None or self.failed:
            return None
        opened = self._open_13(record) if version == TLS_13 else self._open_12(record, self.suite)
        if opened is not None:
            self.early = False
        # Early data is under another key: a server that does not take it sees it so, too.
        self.failed = opened is None and not (self.early and version == TLS_13)
        return opened

    def _nonce(self) -> bytes:
        """Return the record's number, combined with the IV by exclusive or (RFC 8446 section 5.3)."""
        return bytes(a ^ b for a, b in zip(self.iv, self.sequence.to_bytes(12, "big"), strict=True))

    def _open_13(self, record: Record) -> Opened | None:
        """Open a record as of RFC 8446 section 5.2; None if the key does not fit."""
        header = HEADER_FORMAT.pack(record.content_type, record.version, record.length)
        inner = self._decrypt(self._nonce(), record.payload, header) or b""
        content = inner.rstrip(b"\0")  # without the padding
        return Opened(content[-1], content[:-1], padding=len(inner) - len(content)) if content else None

    def _open_12(self, record: Record, suite: Suite) -> Opened | None:
        """Open a record as of RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905; None if the key does not fit."""
        payload, place = record.payload, 0
        if suite.cipher == "AES-CBC":
            return self._open_cbc(record, suite)
        if suite.cipher == "AES-GCM":
            nonce, payload, place = self.iv + payload[:8], payload[8:], 8
        else:
            nonce = self._nonce()
        header = HEADER_FORMAT.pack(record.content_type, record.version, max(0, len(payload) - TAG))
        plain = self._decrypt(nonce, payload, self.sequence.to_bytes(8, "big") + header)
        return None if plain is None else Opened(record.content_type, plain, place)

    def _open_cbc(self, record: Record, suite: Suite) -> Opened | None:
        """Open a record as of RFC 5246 section 6.2.3.2, or RFC 7366 where the MAC is last; None if the MAC is wrong."""
        from cryptography.hazmat.primitives.ciphers import Cipher, modes

        payload, mac = record.payload, b""
        if self.mac_last:
            payload, mac = payload[: -suite.mac_length], payload[-suite.mac_length :]
        if len(payload) < 2 * BLOCK or len(payload) % BLOCK:
            return None
        decryptor = Cipher(self.cipher, modes.CBC(payload[:BLOCK])).decryptor()
        plain = decryptor.update(payload[BLOCK:]) + decryptor.finalize()
        padding = plain[-1] + 1  # the last byte counts those of padding before it
        content = plain[: max(0, len(plain) - padding)]
        if not self.mac_last:
            content, mac = content[: -suite.mac_length], content[-suite.mac_length :]
        sealed = payload if self.mac_last else content
        header = HEADER_FORMAT.pack(record.content_type, record.version, len(sealed))
        right = hmac.digest(self.mac_key, self.sequence.to_bytes(8, "big") + header + sealed, suite.mac_name)
        if not hmac.compare_digest(mac, right):
            return None
        self.sequence += 1
        return Opened(record.content_type, content, BLOCK, padding)

    def _decrypt(self, nonce: bytes, payload: bytes, additional: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        if len(payload) < TAG:
            return None
        try:
            plain: bytes = self.cipher.decrypt(nonce, payload, additional)
        except InvalidTag:
            return None
        self.sequence += 1
        return plain
