"""TLS records and handshake messages as a tree of fields (RFC 8446 sections 4 and 5; RFC 5246 for TLS 1.2).

    record     content type 1 | version 2 | length 2 | fragment
    message    handshake type 1 | length 3 | body
    vector     length 1, 2 or 3 | that many bytes of items          most of a body consists of these

``dissect_tls`` explains the records that begin in one segment, ``dissect_handshake`` one whole message,
wherever it came from (it may have been decrypted). Ciphertext stays one leaf: from outside there is no more
to say about it.
"""

from lab.dissect.fields.tls_extensions import CLIENT_HELLO, SERVER_HELLO, extensions
from lab.dissect.fields.tree import Cursor, Field, Layer, Row, group, layer, named
from lab.dissect.fields.vectors import MOST_ITEMS, Vector
from lab.dissect.tls import names
from lab.dissect.tls.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CONTENT_NAMES,
    HANDSHAKE,
    HEADER,
    can_be_record,
)

SOURCE = "RFC 8446 section 5.1"
ENCRYPTED_EXTENSIONS, CERTIFICATE, CERTIFICATE_VERIFY = 8, 11, 15
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

_VERSION = named(names.VERSIONS, 4)
_OLD_VERSION = "Up to TLS 1.2 the version in use; TLS 1.3 keeps an old value for old middleboxes."
_HELLO_VERSION = "Up to TLS 1.2 the version itself; TLS 1.3 keeps TLS 1.2 here and uses an extension."
RECORD_HEADER = (
    Row(
        "Content type",
        "tls.record.content_type",
        8,
        "What the record holds: {text}.",
        named(CONTENT_NAMES, 2),
    ),
    Row("Version", "tls.record.version", 16, _OLD_VERSION, _VERSION),
    Row("Length", "tls.record.length", 16, "Bytes in the record: readable for everyone, TLS or not."),
)
ALERT_ROWS = (
    Row("Level", "tls.alert_message.level", 8, "How bad it is: {text}.", named(names.ALERT_LEVELS, 2)),
    Row("Description", "tls.alert_message.desc", 8, "What it is: {text}.", named(names.ALERTS, 2)),
)
HANDSHAKE_HEADER = (
    Row("Type", "tls.handshake.type", 8, "Which message this is: {text}.", named(names.HANDSHAKES, 2)),
    Row("Length", "tls.handshake.length", 24, "Bytes of the message behind this field."),
)
HELLO_VERSION = Row("Version", "tls.handshake.version", 16, _HELLO_VERSION, _VERSION)
CIPHER = Row("Cipher suite", "tls.handshake.ciphersuite", 16, "{text}", named(names.CIPHERS, 4))
METHOD, METHOD_MEANING = "tls.handshake.comp_method", "0: none, the only one left."
SIGNED_WITH = Row(
    "Algorithm", "tls.handshake.sig_hash_alg", 16, "How it is signed: {text}.", named(names.SIGNATURES, 4)
)
SESSION_ID = Vector(
    "Session ID",
    8,
    key="tls.handshake.session_id",
    length_key="tls.handshake.session_id_length",
    meaning="Once for resuming a session; TLS 1.3 sends it for old middleboxes only.",
)
CIPHERS = Vector(
    "Cipher suites",
    16,
    CIPHER,
    key="tls.handshake.ciphersuites",
    length_key="tls.handshake.cipher_suites_length",
    meaning="The cipher suites that the client supports, best first.",
    source="RFC 8446 section 4.1.2",
)
METHODS = Vector(
    "Compression methods",
    8,
    Row("Method", METHOD, 8, METHOD_MEANING),
    key="tls.handshake.comp_methods",
    length_key="tls.handshake.comp_methods_length",
)
ONE_CERTIFICATE = Vector(
    "Certificate",
    24,
    key="tls.handshake.certificate",
    length_key="tls.handshake.certificate_length",
    meaning="An X.509 certificate: a name and a public key, signed by an authority.",
    source="RFC 5280",
)
SIGNATURE = Vector(
    "Signature",
    16,
    key="tls.handshake.sig",
    length_key="tls.handshake.sig_len",
    meaning="Only the owner of the certificate's private key can sign this handshake.",
)
# What the other messages are for; their bodies are shown as bytes.
BODIES = {
    4: ("Lets the client resume this session later.", "RFC 8446 section 4.6.1"),
    12: ("The server's public key for this connection, signed.", "RFC 5246 section 7.4.3"),
    13: ("The server wants a certificate from the client.", "RFC 8446 section 4.3.2"),
    16: ("The client's public key for this connection.", "RFC 5246 section 7.4.7"),
    20: ("A proof over the whole handshake: nobody changed it on the way.", "RFC 8446 section 4.4.4"),
    24: ("This side changes its keys.", "RFC 8446 section 4.6.3"),
}


def looks_like_tls(payload: bytes) -> bool:
    """Return whether the bytes begin like a record."""
    return len(payload) >= HEADER and can_be_record(payload, 0)


def dissect_tls(cursor: Cursor) -> Layer:
    """Take all records up to the cursor's end; the last may go on in the next segment."""
    start, records, encrypted = cursor.bit, [], False
    while cursor.left and looks_like_tls(cursor.data[cursor.byte : cursor.end]):
        records.append(_record(cursor, encrypted))
        encrypted |= records[-1].value == CHANGE_CIPHER_SPEC
    if cursor.left:
        meaning = "The middle of a record that began in an earlier segment, or not TLS."
        records.append(cursor.rest("Data", meaning))
    meaning = "Protects what is above from being read and changed on the way."
    return layer("TLS", "tls", start, records, meaning)


def _record(cursor: Cursor, encrypted: bool) -> Field:
    fields, _ = cursor.table(RECORD_HEADER, SOURCE)
    content_type, length = fields[0].value, fields[2].value
    inner = cursor.until(cursor.byte + length)
    if inner.left < length:
        meaning = f"{inner.left} of {length} bytes; the others are in the segments that follow."
        if inner.left:
            fields.append(inner.rest("Beginning of the record", meaning))
    elif length:
        fields += _fragment(inner, content_type, encrypted)
    cursor.bit = inner.bit
    name, text = f"Record: {CONTENT_NAMES[content_type]}", f"{length} bytes"
    return group(name, fields, text, key="tls.record", source=SOURCE, value=content_type)


def _fragment(cursor: Cursor, content_type: int, encrypted: bool) -> list[Field]:
    """Take what a whole record holds."""
    if content_type == HANDSHAKE:
        return _messages(cursor, encrypted)
    if content_type == ALERT and cursor.left == 2:
        return cursor.table(ALERT_ROWS, "RFC 8446 section 6")[0]
    if content_type == CHANGE_CIPHER_SPEC:
        meaning = "From here on this side encrypts (TLS 1.2); TLS 1.3 sends it for middleboxes only."
        key, source = "tls.change_cipher_spec", "RFC 5246 section 7.1"
        return [cursor.rest("Change cipher spec", meaning, key=key, source=source)]
    name, key = f"Encrypted {CONTENT_NAMES[content_type].lower()}", ""
    if content_type == APPLICATION_DATA:
        name, key = "Encrypted data", "tls.app_data"
    meaning = "Ciphertext: without the keys it shows its length; in TLS 1.2 also its real type and, with AES-GCM, a nonce."
    return [cursor.rest(name, meaning, key=key, source="RFC 8446 section 5.2, RFC 5246 section 6.2.3.3")]


def _messages(cursor: Cursor, encrypted: bool) -> list[Field]:
    messages: list[Field] = []
    while cursor.left:
        kind = cursor.data[cursor.byte]
        size = int.from_bytes(cursor.data[cursor.byte + 1 : cursor.byte + 4], "big")
        known = kind in names.HANDSHAKES and (kind != 0 or cursor.left == 4)
        if encrypted or not known or cursor.left < 4 or size > cursor.left - 4:
            meaning = "Ciphertext, or a part of a message that goes on in another record."
            messages.append(cursor.rest("Encrypted or partial handshake message", meaning))
        else:
            inner = cursor.until(cursor.byte + 4 + size)
            messages.append(dissect_handshake(inner))
            cursor.bit = inner.bit
    return messages


def dissect_handshake(cursor: Cursor) -> Field:
    """Take one handshake message, up to the cursor's end (RFC 8446 section 4, RFC 5246 section 7.4)."""
    fields, whole = cursor.table(HANDSHAKE_HEADER, "RFC 8446 section 4")
    if not whole:
        return group("Handshake message", fields)
    kind = fields[0].value
    bodies = {CLIENT_HELLO: _client_hello, SERVER_HELLO: _server_hello, CERTIFICATE: _certificate}
    bodies |= {CERTIFICATE_VERIFY: _certificate_verify, ENCRYPTED_EXTENSIONS: extensions(kind).take}
    if kind in bodies and cursor.left:
        fields += bodies[kind](cursor)
    if cursor.left:
        meaning, source = BODIES.get(kind, ("", ""))
        fields.append(cursor.rest("Contents", meaning, source=source))
    name, text = names.HANDSHAKES.get(kind, f"Message {kind}"), f"{fields[1].value} bytes"
    return group(name, fields, text, key="tls.handshake", source="RFC 8446 section 4", value=kind)


def _hello_start(cursor: Cursor, source: str) -> list[Field]:
    fields, whole = cursor.table((HELLO_VERSION,), source)
    if whole and cursor.left:
        meaning = "32 random bytes: no two handshakes are the same, so none can be replayed."
        fields.append(cursor.run(32, "Random", meaning, key="tls.handshake.random", source=source))
        fields += SESSION_ID.take(cursor)
    return fields


def _client_hello(cursor: Cursor) -> list[Field]:
    fields = _hello_start(cursor, "RFC 8446 section 4.1.2")
    for vector in (CIPHERS, METHODS, extensions(CLIENT_HELLO)):
        fields += vector.take(cursor)
    return fields


def _server_hello(cursor: Cursor) -> list[Field]:
    source = "RFC 8446 section 4.1.3"
    fields = _hello_start(cursor, source)
    if len(fields) > 1 and fields[1].value == RETRY_RANDOM:
        fields[
            1
        ].meaning = "Not random: this value (section 4.1.3) asks the client to try again (section 4.1.4)."
    method = Row("Compression method", METHOD, 8, METHOD_MEANING)
    fields += cursor.table((CIPHER, method), source)[0]
    return fields + extensions(SERVER_HELLO).take(cursor)


def _certificate(cursor: Cursor) -> list[Field]:
    """TLS 1.3 puts a context before the list and extensions behind each certificate; TLS 1.2 has neither."""
    size = int.from_bytes(cursor.data[cursor.byte : cursor.byte + 3], "big")
    is_13 = cursor.left >= 4 and size != cursor.left - 3
    context_key = "tls.handshake.certificate_request_context_length"
    fields = Vector("Request context", 8, length_key=context_key).take(cursor) if is_13 else []

    def certificates(inner: Cursor) -> list[Field]:
        found: list[Field] = []
        while inner.left >= 4 and len(found) < MOST_ITEMS:
            found += ONE_CERTIFICATE.take(inner)
            if is_13:
                found += extensions(CERTIFICATE).take(inner)
        return found

    key, length_key = "tls.handshake.certificates", "tls.handshake.certificates_length"
    source = "RFC 8446 section 4.4.2"
    return fields + Vector("Certificates", 24, certificates, key, length_key, source=source).take(cursor)


def _certificate_verify(cursor: Cursor) -> list[Field]:
    fields, whole = cursor.table((SIGNED_WITH,), "RFC 8446 section 4.4.3")
    return fields + (SIGNATURE.take(cursor) if whole and cursor.left else [])
