"""One TLS connection as far as it could be read: records, handshake messages, and what they agreed on."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from lab.dissect.fields.tls import CERTIFICATE, dissect_handshake, is_retry
from lab.dissect.fields.tls_extensions import CLIENT_HELLO
from lab.dissect.fields.tree import Cursor, Field
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.streams import Stream
from lab.dissect.tls import names
from lab.dissect.tls.ja4 import ja4
from lab.dissect.tls.records import ALERT, APPLICATION_DATA, Record


def _named(known: dict[int, str], number: int | None) -> str | None:
    return None if number is None else known.get(number, f"0x{number:04x}")


@dataclass
class OpenRecord:
    """A record and, where it could be read, its contents. ``content_type`` is the inner one where known."""

    record: Record
    from_initiator: bool
    encrypted: bool
    content_type: int
    plaintext: bytes | None  # None: encrypted, and not opened
    place: int = 0  # where the content, or its ciphertext, begins in the record's payload
    padding: int = 0  # bytes behind the content that only hide its length

    @property
    def name(self) -> str:
        return names.CONTENTS.get(self.content_type, f"type {self.content_type}")


@dataclass
class TlsMessage:
    """A handshake message, reassembled from as many records as it took.

    ``places`` says where its bytes were: (first byte in ``data``, that byte's offset in ``stream``), in order.
    """

    kind: int
    data: bytes  # header and body
    from_initiator: bool
    frame_number: int  # where it is complete
    time_ns: int
    stream: Stream
    places: list[tuple[int, int]]
    encrypted: bool

    def frame_of(self, byte: int) -> int:
        """Return the number of the frame that carried a byte of ``data``, or of the ciphertext it was in."""
        start, offset = self.places[bisect_right(self.places, byte, key=lambda place: place[0]) - 1]
        return self.stream.frame_at(offset + byte - start)

    @property
    def frames(self) -> list[int]:
        """Return the numbers of all frames that carried a part of it, in order."""
        return list(dict.fromkeys(map(self.frame_of, range(len(self.data)))))

    @property
    def is_retry(self) -> bool:
        """Return whether it is a HelloRetryRequest, which has the type of a ServerHello."""
        return is_retry(self.data)

    @property
    def name(self) -> str:
        if self.is_retry:
            return "Hello Retry Request"
        return names.HANDSHAKES.get(self.kind, f"Message {self.kind}")

    @property
    def tree(self) -> Field:
        """Return the message field by field."""
        return dissect_handshake(Cursor(self.data, 0, len(self.data)))

    def values(self, key: str) -> list[Any]:
        """Return the values of all fields that Wireshark calls ``key``."""
        return [one.value for one in self.tree.walk() if one.key == key]


@dataclass
class TlsSession:
    """One connection as it was read. ``problem`` says why not all of it could be opened, or is None."""

    flow: Flow
    records: list[OpenRecord] = field(default_factory=list)  # both directions, as they were completed
    messages: list[TlsMessage] = field(default_factory=list)
    version: int | None = None  # agreed, 0x0304
    suite_number: int | None = None
    keys_found: bool = False
    problem: str | None = None

    @property
    def version_name(self) -> str | None:
        return _named(names.VERSIONS, self.version)

    @property
    def suite_name(self) -> str | None:
        return _named(names.CIPHERS, self.suite_number)

    @property
    def is_opened(self) -> bool:
        """Return whether any encrypted record could be opened."""
        return any(one.encrypted and one.plaintext is not None for one in self.records)

    def _values(self, kind: int, key: str) -> list[Any]:
        """Return the values of a field in the first message of a kind."""
        return next((one.values(key) for one in self.messages if one.kind == kind), [])

    @property
    def server_name(self) -> str | None:
        """Return the name that the client asked for, in the clear (SNI)."""
        return next(iter(self._values(CLIENT_HELLO, "tls.handshake.extensions_server_name")), None)

    @property
    def ja4(self) -> str | None:
        """Return the client's JA4 (``lab.dissect.tls.ja4``), of its first hello."""
        return next((ja4(one.data) for one in self.messages if one.kind == CLIENT_HELLO), None)

    @property
    def offered_protocols(self) -> list[str]:
        """Return the application protocols (ALPN)."""
        return self._values(CLIENT_HELLO, "tls.handshake.extensions_alpn_str")

    @property
    def certificates(self) -> list[bytes]:
        """Return the first Certificate message's (DER): readable by anyone in TLS 1.2, with keys in 1.3."""
        return self._values(CERTIFICATE, "tls.handshake.certificate")

    @property
    def alerts(self) -> list[tuple[OpenRecord, str]]:
        """Return the alerts that could be read, each with its text ("fatal: handshake_failure")."""
        found = []
        for one in self.records:
            if one.content_type == ALERT and one.plaintext is not None and len(one.plaintext) == 2:
                level, what = one.plaintext
                text = f"{names.ALERT_LEVELS.get(level, str(level))}: {names.ALERTS.get(what, str(what))}"
                found.append((one, text))
        return found

    def data(self, from_initiator: bool) -> bytes:
        """Return the application data of one direction, as far as it was opened."""
        own = (one for one in self.records if one.from_initiator == from_initiator)
        return b"".join(one.plaintext or b"" for one in own if one.content_type == APPLICATION_DATA)
