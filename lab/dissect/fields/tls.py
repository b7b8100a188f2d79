"""TLS records and handshake messages as a tree of fields (RFC 8446 sections 4 and 5; RFC 5246 for TLS 1.2).

    record     content type 1 | version 2 | length 2 | fragment
    message    handshake type 1 | length 3 | body
    vector     length 1, 2 or 3 | that many bytes of items          most of a body consists of these

``dissect_tls`` explains the records that begin in one segment, ``dissect_handshake`` one whole message,
wherever it came from (it may have been decrypted). Ciphertext stays one leaf, because without
the keys nothing else can be said about it.
"""

from lab.dissect.fields.tls_extensions import CLIENT_HELLO, RETRY_REQUEST, SERVER_HELLO, extensions
from lab.dissect.fields.tree import Cursor, Field, Row, Taker, group, named
from lab.dissect.fields.vectors import Vector
from lab.dissect.tls import names, records

SOURCE = "RFC 8446 section 5.1"
ENCRYPTED_EXTENSIONS, CERTIFICATE, CERTIFICATE_VERIFY = 8, 11, 15
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

_VERSION = named(names.VERSIONS, 4)
_HOLDS = named(names.CONTENTS, 2)
_OLD_VERSION = "Up to TLS 1.2 the version in use; TLS 1.3 keeps an old value for old middleboxes."
_HELLO_VERSION = "Up to TLS 1.2 the version itself; TLS 1.3 keeps TLS 1.2 here and uses an extension."
RECORD_HEADER = (
    Row("Content type", "tls.record.content_type", 8, "What the record holds: {text}.", _HOLDS),
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

KEY = "tls.handshake."
_X509 = "An X.509 certificate: a name and a public key, signed by an authority."
_OLD_SESSION = "Once for resuming a session; TLS 1.3 sends it for old middleboxes only."
_BEST_FIRST = "The cipher suites that the client supports, best first."
_PROOF = "Only the owner of the certificate's private key can sign this handshake."
HELLO_VERSION = Row("Version", KEY + "version", 16, _HELLO_VERSION, _VERSION)
SESSION_ID = Vector("Session ID", 8, KEY + "session_id", KEY + "session_id_length", _OLD_SESSION)
CIPHER = Row("Cipher suite", KEY + "ciphersuite", 16, "{text}", named(names.CIPHERS, 4))
_SUITES, _SUITES_LENGTH = KEY + "ciphersuites", KEY + "cipher_suites_length"
CIPHERS = Vector("Cipher suites", 16, _SUITES, _SUITES_LENGTH, _BEST_FIRST, items=(CIPHER,))
METHOD = Row("Method", KEY + "comp_method", 8, "0: none, the only one left.")
METHODS = Vector("Compression methods", 8, KEY + "comp_methods", KEY + "comp_methods_length", items=(METHOD,))
ONE_METHOD = METHOD._replace(name="Compression method")
CONTEXT = Vector("Request context", 8, "", KEY + "certificate_request_context_length")
ONE_CERTIFICATE = Vector(
    "Certificate", 24, KEY + "certificate", KEY + "certificate_length", _X509, "RFC 5280"
)
_SIGNED_HOW = "How it is signed: {text}."
SIGNED_WITH = Row("Algorithm", KEY + "sig_hash_alg", 16, _SIGNED_HOW, named(names.SIGNATURES, 4))
SIGNATURE = Vector("Signature", 16, KEY + "sig", KEY + "sig_len", _PROOF)


def _random(cursor: Cursor, source: str) -> list[Field]:
    if not cursor.left:
        return []
    meaning = "32 random bytes: no two handshakes are the same, so none can be replayed."
    taken = cursor.run(32, "Random", meaning, key=KEY + "random", source=source)
    if taken.value == RETRY_RANDOM:
        taken.meaning = "Not random: this value (section 4.1.3) asks the client to try again (section 4.1.4)."
    return [taken]


def _certificates(cursor: Cursor, source: str) -> list[Field]:
    """TLS 1.3 puts a context before the list and extensions behind each certificate; TLS 1.2 has neither."""
    size = int.from_bytes(cursor.data[cursor.byte : cursor.byte + 3], "big")
    is_13 = cursor.left >= 4 and size != cursor.left - 3
    items: tuple[Taker, ...] = (ONE_CERTIFICATE, extensions(CERTIFICATE)) if is_13 else (ONE_CERTIFICATE,)
    found = Vector("Certificates", 24, KEY + "certificates", KEY + "certificates_length", items=items)
    return cursor.table((CONTEXT, found) if is_13 else (found,), source)[0]


_CLIENT_HELLO = (HELLO_VERSION, _random, SESSION_ID, CIPHERS, METHODS, extensions(CLIENT_HELLO))
_SERVER_HELLO = (HELLO_VERSION, _random, SESSION_ID, CIPHER, ONE_METHOD)
# The messages whose bodies are tables, and where each is defined.
BODIES: dict[int, tuple[tuple[Row | Taker, ...], str]] = {
    CLIENT_HELLO: (_CLIENT_HELLO, "RFC 8446 section 4.1.2"),
    SERVER_HELLO: ((*_SERVER_HELLO, extensions(SERVER_HELLO)), "RFC 8446 section 4.1.3"),
    RETRY_REQUEST: ((*_SERVER_HELLO, extensions(RETRY_REQUEST)), "RFC 8446 section 4.1.4"),
    ENCRYPTED_EXTENSIONS: ((extensions(ENCRYPTED_EXTENSIONS),), "RFC 8446 section 4.3.1"),
    CERTIFICATE: ((_certificates,), "RFC 8446 section 4.4.2"),
    CERTIFICATE_VERIFY: ((SIGNED_WITH, SIGNATURE), "RFC 8446 section 4.4.3"),
}
# What the other messages are for; their bodies are shown as bytes.
PURPOSES = {
    4: ("Lets the client resume this session later.", "RFC 8446 section 4.6.1"),
    12: ("The server's public key for this connection, signed.", "RFC 5246 section 7.4.3"),
    13: ("The server wants a certificate from the client.", "RFC 8446 section 4.3.2"),
    16: ("The client's public key for this connection.", "RFC 5246 section 7.4.7"),
    20: ("A proof over the whole handshake: nobody changed it on the way.", "RFC 8446 section 4.4.4"),
    24: ("This side changes its keys.", "RFC 8446 section 4.6.3"),
}


def looks_like_tls(payload: bytes) -> bool:
    """Return whether the bytes begin like a record."""
    return len(payload) >= records.HEADER and records.can_be_record(payload, 0)


def dissect_tls(cursor: Cursor) -> Field:
    """Take all records up to the cursor's end; the last may go on in the next segment."""
    found: list[Field] = []
    encrypted = False
    while cursor.left and looks_like_tls(cursor.data[cursor.byte : cursor.end]):
        found.append(_record(cursor, encrypted))
        encrypted |= found[-1].value == records.CHANGE_CIPHER_SPEC
    if cursor.left:
        meaning = "The middle of a record that began in an earlier segment, or not TLS."
        found.append(cursor.rest("Data", meaning))
    meaning = "Protects what is above from being read and changed on the way."
    return group("TLS", found, meaning=meaning, key="tls")


def _record(cursor: Cursor, encrypted: bool) -> Field:
    fields, _ = cursor.table(RECORD_HEADER, SOURCE)
    content_type, length = fields[0].value, fields[2].value
    inner = cursor.part(length)
    if inner.left < length:
        meaning = f"{inner.left} of {length} bytes; the others are in the segments that follow."
        if inner.left:
            fields.append(inner.rest("Beginning of the record", meaning))
    elif length:
        fields += dissect_fragment(inner, content_type, encrypted)
    name, text = f"Record: {names.CONTENTS[content_type]}", f"{length} bytes"
    return group(name, fields, text, key="tls.record", source=SOURCE, value=content_type)


def dissect_fragment(cursor: Cursor, content_type: int, encrypted: bool = False) -> list[Field]:
    """Take what a whole record holds, up to the cursor's end."""
    if content_type == records.HANDSHAKE:
        return _messages(cursor, encrypted)
    if content_type == records.ALERT and cursor.left == 2:
        return cursor.table(ALERT_ROWS, "RFC 8446 section 6")[0]
    if content_type == records.CHANGE_CIPHER_SPEC:
        meaning = "From here on this side encrypts (TLS 1.2); TLS 1.3 sends it for middleboxes only."
        key, source = "tls.change_cipher_spec", "RFC 5246 section 7.1"
        return [cursor.rest("Change cipher spec", meaning, key=key, source=source)]
    name, key = f"Encrypted {names.CONTENTS[content_type].lower()}", ""
    if content_type == records.APPLICATION_DATA:
        name, key = "Encrypted data", "tls.app_data"
    meaning = "Ciphertext: without the keys it shows its length; in TLS 1.2 also its real type and, with AES-GCM, a nonce."
    return [cursor.rest(name, meaning, key=key, source="RFC 8446 section 5.2, RFC 5246 section 6.2.3.3")]


def _messages(cursor: Cursor, encrypted: bool) -> list[Field]:
    messages: list[Field] = []
    while cursor.left:
        kind = cursor.data[cursor.byte]
        size = int.from_bytes(cursor.data[cursor.byte + 1 : cursor.byte + 4], "big")
        known = kind in names.HANDSHAKES and (kind != 0 or cursor.left == 4)
        again = kind == CLIENT_HELLO and size == cursor.left - 4  # after a HelloRetryRequest, in the clear
        if (encrypted and not again) or not known or cursor.left < 4 or size > cursor.left - 4:
            meaning = "Ciphertext, or a part of a message that goes on in another record."
            messages.append(cursor.rest("Encrypted or partial handshake message", meaning))
        else:
            messages.append(dissect_handshake(cursor.part(4 + size)))
    return messages


def is_retry(message: bytes) -> bool:
    """Return whether a handshake message is a HelloRetryRequest: a ServerHello whose random is a constant."""
    return message[:1] == bytes([SERVER_HELLO]) and message[6:38] == RETRY_RANDOM


def dissect_handshake(cursor: Cursor) -> Field:
    """Take one handshake message, up to the cursor's end (RFC 8446 section 4, RFC 5246 section 7.4)."""
    retry = is_retry(bytes(cursor.data[cursor.byte : min(cursor.byte + 38, cursor.end)]))
    fields, whole = cursor.table(HANDSHAKE_HEADER, "RFC 8446 section 4")
    if not whole:
        return group("Handshake message", fields)
    kind = fields[0].value
    body = RETRY_REQUEST if retry else kind
    if body in BODIES:
        fields += cursor.table(*BODIES[body])[0]
    if cursor.left:
        meaning, source = PURPOSES.get(kind, ("", ""))
        fields.append(cursor.rest("Contents", meaning, source=source))
    name, text = names.HANDSHAKES.get(body, f"Message {kind}"), f"{fields[1].value} bytes"
    return group(name, fields, text, key="tls.handshake", source="RFC 8446 section 4", value=kind)
