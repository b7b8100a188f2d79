"""The reader of one direction of a TLS connection: its keys, and the records that it opens with them.

A record is decrypted with a nonce made of its number, which is never sent (RFC 8446 section 5.3): so records
are opened in order, and one that cannot be opened ends it.
"""

from dataclasses import dataclass
from typing import Any

from lab.dissect.tls import key_schedule
from lab.dissect.tls.key_schedule import Suite
from lab.dissect.tls.records import HEADER_FORMAT, Record

TLS_12, TLS_13 = 0x0303, 0x0304
TAG = 16  # bytes, of all ciphers here
Opened = tuple[int, bytes]  # content type and content


@dataclass
class Direction:
    """The state of one direction so far."""

    from_initiator: bool
    records: list[Record]
    suite: Suite | None = None
    aead: Any = None  # of ``cryptography``; None: there is no key
    iv: bytes = b""
    sequence: int = 0
    secret: bytes = b""  # the traffic secret in use (TLS 1.3)
    encrypted: bool = False  # from here on everything is
    failed: bool = False  # a record did not open, so the numbers of all later ones are unknown
    early: bool = False  # early data was offered, and no record under the handshake keys has come yet
    partial: bytes = b""  # the handshake message that is not complete yet

    def set_keys(self, key: bytes, iv: bytes, suite: Suite) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        self.aead = AESGCM(key) if suite.cipher == "AES-GCM" else ChaCha20Poly1305(key)
        self.suite, self.iv, self.sequence = suite, iv, 0

    def set_secret(self, secret: bytes, suite: Suite) -> None:
        self.secret = secret
        self.set_keys(*key_schedule.traffic_key(secret, suite), suite)

    def open(self, record: Record, version: int | None) -> Opened | None:
        """Return what is in an encrypted record of TLS ``version``; None if it cannot be opened."""
        if self.aead is None or self.suite is None or self.failed:
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
        return (content[-1], content[:-1]) if content else None

    def _open_12(self, record: Record, suite: Suite) -> Opened | None:
        """Open a record as of RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905; None if the key does not fit."""
        payload = record.payload
        if suite.cipher == "AES-GCM":
            nonce, payload = self.iv + payload[:8], payload[8:]
        else:
            nonce = self._nonce()
        header = HEADER_FORMAT.pack(record.content_type, record.version, max(0, len(payload) - TAG))
        plain = self._decrypt(nonce, payload, self.sequence.to_bytes(8, "big") + header)
        return None if plain is None else (record.content_type, plain)

    def _decrypt(self, nonce: bytes, payload: bytes, additional: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        if len(payload) < TAG:
            return None
        try:
            plain: bytes = self.aead.decrypt(nonce, payload, additional)
        except InvalidTag:
            return None
        self.sequence += 1
        return plain
