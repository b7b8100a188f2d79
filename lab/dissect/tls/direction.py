"""The reader of one direction of a TLS connection: its keys, and the records that it opens with them.

A record is decrypted with a nonce made of its number, which is never sent (RFC 8446 section 5.3): so records
are opened in order, and one that cannot be opened ends it.
"""

from dataclasses import dataclass, field
from typing import Any

from lab.dissect.tls import key_schedule
from lab.dissect.tls.key_schedule import Suite
from lab.dissect.tls.records import Record

TAG = 16  # bytes, of all ciphers here


@dataclass
class Direction:
    """What is known of one direction so far."""

    from_initiator: bool
    records: list[Record]
    aead: Any = None  # of ``cryptography``; None: there is no key
    iv: bytes = b""
    sequence: int = 0
    secret: bytes = b""  # the traffic secret in use (TLS 1.3)
    encrypted: bool = False  # from here on everything is
    failed: bool = False  # a record did not open, so the numbers of all later ones are unknown
    early: bool = False  # early data was offered, and no record under the handshake keys has come yet
    partial: bytes = field(default=b"")  # the handshake message that is not complete yet

    def set_keys(self, key: bytes, iv: bytes, suite: Suite) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        self.aead = AESGCM(key) if suite.cipher == "AES-GCM" else ChaCha20Poly1305(key)
        self.iv, self.sequence = iv, 0

    def set_secret(self, secret: bytes, suite: Suite) -> None:
        self.secret = secret
        self.set_keys(*key_schedule.traffic_key(secret, suite), suite)

    def _nonce(self) -> bytes:
        """Return the record's number, combined with the IV by exclusive or (RFC 8446 section 5.3)."""
        return bytes(a ^ b for a, b in zip(self.iv, self.sequence.to_bytes(12, "big"), strict=True))

    def open_13(self, record: Record) -> tuple[int, bytes, int] | None:
        """Return inner type, content, padding; None if the key does not fit (RFC 8446 section 5.2)."""
        header = (
            bytes([record.content_type])
            + record.version.to_bytes(2, "big")
            + record.length.to_bytes(2, "big")
        )
        inner = self._decrypt(self._nonce(), record.payload, header) or b""
        content = inner.rstrip(b"\0")
        return (content[-1], content[:-1], len(inner) - len(content)) if content else None

    def open_12(self, record: Record, suite: Suite) -> bytes | None:
        """Return the content; None if the key does not fit (RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905)."""
        payload = record.payload
        if suite.cipher == "AES-GCM":
            nonce, payload = self.iv + payload[:8], payload[8:]
        else:
            nonce = self._nonce()
        additional = self.sequence.to_bytes(8, "big") + bytes([record.content_type])
        additional += record.version.to_bytes(2, "big") + max(0, len(payload) - TAG).to_bytes(2, "big")
        return self._decrypt(nonce, payload, additional)

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
