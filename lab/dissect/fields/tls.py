"""TLS records and handshake messages as a tree of fields (RFC 8446 sections 4 and 5; RFC 5246 for TLS 1.2).

    record     content type 1 | version 2 | length 2 | fragment
    message    handshake type 1 | length 3 | body
    vector     length 1, 2 or 3 | that many bytes of items          nearly everything in a body is one of these

``dissect_tls`` explains the records that begin in one segment; ``dissect_handshake`` one whole message,
from wherever it came (also one that was decrypted). Ciphertext stays one leaf: from outside there is
nothing more to tell of it.
"""

from collections.abc import Callable

from lab.dissect.fields.tree import Cursor, Field, Layer, Row, group, layer
from lab.dissect.tls import names as tls_names
from lab.dissect.tls.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CONTENT_NAMES,
    HANDSHAKE,
    HEADER,
    LARGEST_FRAGMENT,
    VERSION_NAMES,
)

SOURCE = "RFC 8446 section 5.1"
CLIENT_HELLO, SERVER_HELLO = 1, 2
MOST_ITEMS = 4096  # items of a vector that are shown one by one

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def _named(names: dict[int, str], digits: int) -> Callable[[int], str]:
    return lambda value: f"0x{value:0{digits}x}" + (f" ({names[value]})" if value in names else "")


_VERSION = _named(VERSION_NAMES, 4)
_CONTENT = _named(CONTENT_NAMES, 2)
_CIPHER = _named(tls_names.CIPHERS, 4)
_GROUP = _named(tls_names.GROUPS, 4)
_SIGNATURE = _named(tls_names.SIGNATURES, 4)

RECORD_HEADER = (
    Row("Content type", "tls.record.content_type", 8, "What the record holds: {text}.", _CONTENT),
    Row(
        "Version",
        "tls.record.version",
        16,
        "Kept at old values for old middleboxes' sake; here {text}.",
        _VERSION,
    ),
    Row("Length", "tls.record.length", 16, "Bytes in the record: readable for everyone, TLS or not."),
)


def looks_like_tls(payload: bytes) -> bool:
    """Whether PAYLOAD begins like a record: a known content type, a known version, a length that is
    allowed.
    """
    return (
        len(payload) >= HEADER
        and payload[0] in CONTENT_NAMES
        and int.from_bytes(payload[1:3], "big") in VERSION_NAMES
        and int.from_bytes(payload[3:5], "big") <= LARGEST_FRAGMENT
    )


def dissect_tls(cursor: Cursor) -> Layer:
    """The layer of all records from CURSOR to its end; the last may go on in the next segment."""
    start, records, encrypted = cursor.bit, [], False
    while cursor.left and looks_like_tls(cursor.data[cursor.byte : cursor.end]):
        records.append(_record(cursor, encrypted))
        encrypted |= records[-1].value == CHANGE_CIPHER_SPEC
    if cursor.left:
        records.append(
            cursor.rest("Data", "The middle of a record that began in an earlier segment, or no TLS.")
        )
    return layer(
        "TLS", "tls", start, records, "Protects what is above from being read and changed on the way."
    )


def _record(cursor: Cursor, encrypted: bool) -> Field:
    fields, _ = cursor.table(RECORD_HEADER, SOURCE)
    content_type, length = fields[0].value, fields[2].value
    inner = Cursor(cursor.data, cursor.byte, min(cursor.end, cursor.byte + length))
    name = CONTENT_NAMES[content_type]
    if inner.left < length:
        meaning = f"{inner.left} of {length} bytes; the others are in the segments that follow."
        if inner.left:
            fields.append(inner.rest("Beginning of the record", meaning))
    elif content_type == HANDSHAKE:
        fields += _messages(inner, encrypted)
    elif content_type == ALERT and length == 2:
        fields += inner.table(ALERT_ROWS, "RFC 8446 section 6")[0]
    elif content_type == CHANGE_CIPHER_SPEC:
        meaning = (
            "From here on this side encrypts (TLS 1.2); in TLS 1.3 it means nothing and pleases middleboxes."
        )
        key = "tls.change_cipher_spec"
        if length:
            fields.append(inner.rest("Change cipher spec", meaning, key=key, source="RFC 5246 section 7.1"))
    elif length:
        encrypted_name = "Encrypted data" if content_type == APPLICATION_DATA else f"Encrypted {name.lower()}"
        meaning = "Ciphertext: without the keys it tells its length, its time and its direction, no more."
        key = "tls.app_data" if content_type == APPLICATION_DATA else ""
        fields.append(inner.rest(encrypted_name, meaning, key=key, source="RFC 8446 section 5.2"))
    cursor.bit = inner.bit
    return group(
        f"Record: {name}", fields, f"{length} bytes", key="tls.record", source=SOURCE, value=content_type
    )


ALERT_ROWS = (
    Row("Level", "tls.alert_message.level", 8, "How bad it is: {text}.", _named(tls_names.ALERT_LEVELS, 2)),
    Row("Description", "tls.alert_message.desc", 8, "What it is: {text}.", _named(tls_names.ALERTS, 2)),
)


def _messages(cursor: Cursor, encrypted: bool) -> list[Field]:
    messages = []
    while cursor.left:
        kind = cursor.data[cursor.byte]
        size = int.from_bytes(cursor.data[cursor.byte + 1 : cursor.byte + 4], "big")
        known = kind in tls_names.HANDSHAKES and (kind != 0 or cursor.left == 4)
        if encrypted or not known or cursor.left < 4 or size > cursor.left - 4:
            meaning = "Ciphertext, or a part of a message that goes on in another record."
            messages.append(cursor.rest("Encrypted or partial handshake message", meaning))
        else:
            inner = Cursor(cursor.data, cursor.byte, cursor.byte + 4 + size)
            messages.append(dissect_handshake(inner))
            cursor.bit = inner.bit
    return messages


HANDSHAKE_HEADER = (
    Row("Type", "tls.handshake.type", 8, "Which message this is: {text}.", _named(tls_names.HANDSHAKES, 2)),
    Row("Length", "tls.handshake.length", 24, "Bytes of the message behind this field."),
)


def dissect_handshake(cursor: Cursor) -> Field:
    """One handshake message, header and body, from CURSOR to its end (RFC 8446 section 4, RFC 5246 section
    7.4).
    """
    fields, whole = cursor.table(HANDSHAKE_HEADER, "RFC 8446 section 4")
    if not whole:
        return group("Handshake message", fields)
    kind = fields[0].value
    body = {
        1: _client_hello,
        2: _server_hello,
        11: _certificate,
        15: _certificate_verify,
        8: _only_extensions,
    }.get(kind)
    if body is not None:
        fields += body(cursor)
    if cursor.left:
        meaning, source = _BODIES.get(kind, ("", ""))
        fields.append(cursor.rest("Contents", meaning, source=source))
    name = tls_names.HANDSHAKES.get(kind, f"Message {kind}")
    return group(
        name, fields, f"{fields[1].value} bytes", key="tls.handshake", source="RFC 8446 section 4", value=kind
    )


_BODIES = {
    4: ("Lets the client carry on this session later.", "RFC 8446 section 4.6.1"),
    12: ("The server's public key for this connection, signed.", "RFC 5246 section 7.4.3"),
    13: ("The server wants a certificate from the client.", "RFC 8446 section 4.3.2"),
    16: ("The client's public key for this connection.", "RFC 5246 section 7.4.7"),
    20: ("A proof over the whole handshake: nobody changed it on the way.", "RFC 8446 section 4.4.4"),
    24: ("This side changes its keys.", "RFC 8446 section 4.6.3"),
}


def _vector(
    cursor: Cursor,
    name: str,
    bits: int,
    items,
    *,
    key: str = "",
    length_key: str = "",
    source: str = "",
    meaning: str = "",
) -> list[Field]:
    """A length of BITS and, if it is not zero, a field of that many bytes whose children ITEMS(cursor)
    gives.
    """
    length, whole = cursor.table((Row(f"{name} length", length_key, bits, "Bytes that follow."),), source)
    if not whole or not length[0].value or not cursor.left:
        return length
    inner = Cursor(cursor.data, cursor.byte, min(cursor.end, cursor.byte + length[0].value))
    if items is None:
        content = inner.rest(name, meaning, key=key, source=source)
    else:
        children = items(inner)
        if inner.left:
            children.append(inner.rest("Rest", "Cut off, or not as the standard has it."))
        content = group(name, children, f"{len(children)} items", meaning, key=key, source=source)
    cursor.bit = inner.bit
    return [*length, content]


def _items(row: Row):
    def take(cursor: Cursor) -> list[Field]:
        taken = []
        while cursor.left >= row.bits // 8 and len(taken) < MOST_ITEMS:
            taken.append(cursor.take(row))
        return taken

    return take


_CIPHER_ROW = Row("Cipher suite", "tls.handshake.ciphersuite", 16, "{text}", _CIPHER)


def _hello_start(cursor: Cursor) -> list[Field]:
    row = Row(
        "Version", "tls.handshake.version", 16, "Stays at TLS 1.2; the extension tells the truth.", _VERSION
    )
    fields, whole = cursor.table((row,), "RFC 8446 section 4.1.2")
    if whole and cursor.left:
        meaning = "32 random bytes: no two handshakes are the same, so none can be played back."
        fields.append(
            cursor.run(32, "Random", meaning, key="tls.handshake.random", source="RFC 8446 section 4.1.2")
        )
        fields += _vector(
            cursor,
            "Session ID",
            8,
            None,
            key="tls.handshake.session_id",
            length_key="tls.handshake.session_id_length",
            meaning="Once for going on with a session; TLS 1.3 sends it for old middleboxes only.",
        )
    return fields


def _client_hello(cursor: Cursor) -> list[Field]:
    fields = _hello_start(cursor)
    fields += _vector(
        cursor,
        "Cipher suites",
        16,
        _items(_CIPHER_ROW),
        key="tls.handshake.ciphersuites",
        length_key="tls.handshake.cipher_suites_length",
        source="RFC 8446 section 4.1.2",
        meaning="The ciphers that the client can, best first.",
    )
    fields += _vector(
        cursor,
        "Compression methods",
        8,
        _items(Row("Method", "tls.handshake.comp_method", 8, "0: none, the only one left.")),
        key="tls.handshake.comp_methods",
        length_key="tls.handshake.comp_methods_length",
    )
    return fields + _extensions(cursor, CLIENT_HELLO)


def _server_hello(cursor: Cursor) -> list[Field]:
    fields = _hello_start(cursor)
    if len(fields) > 1 and fields[1].value == RETRY_RANDOM:
        fields[
            1
        ].meaning = "Not random: this value says that the client is to try again (RFC 8446 section 4.1.4)."
    method = Row("Compression method", "tls.handshake.comp_method", 8, "0: none, the only one left.")
    chosen, whole = cursor.table((_CIPHER_ROW, method), "RFC 8446 section 4.1.3")
    return fields + chosen + (_extensions(cursor, SERVER_HELLO) if whole else [])


def _only_extensions(cursor: Cursor) -> list[Field]:
    return _extensions(cursor, 8)


def _extensions(cursor: Cursor, message: int) -> list[Field]:
    if not cursor.left:
        return []

    def all_of_them(inner: Cursor) -> list[Field]:
        return [_extension(inner, message) for _ in iter(lambda: inner.left >= 4, False)]

    return _vector(
        cursor,
        "Extensions",
        16,
        all_of_them,
        length_key="tls.handshake.extensions_length",
        source="RFC 8446 section 4.2",
    )


EXTENSION_HEADER = (
    Row(
        "Type",
        "tls.handshake.extension.type",
        16,
        "Which extension: {text}.",
        _named(tls_names.EXTENSIONS, 4),
    ),
    Row("Length", "tls.handshake.extension.len", 16, "Bytes of the extension behind this field."),
)


def _extension(cursor: Cursor, message: int) -> Field:
    fields, _ = cursor.table(EXTENSION_HEADER, "RFC 8446 section 4.2")
    kind, length = fields[0].value, fields[1].value
    inner = Cursor(cursor.data, cursor.byte, min(cursor.end, cursor.byte + length))
    body = _EXTENSION_BODIES.get(kind)
    if body is not None and inner.left:
        fields += body(inner, message)
    if inner.left:
        fields.append(inner.rest("Contents"))
    cursor.bit = inner.bit
    name = tls_names.EXTENSIONS.get(kind, f"extension {kind}")
    meaning = tls_names.EXTENSION_MEANINGS.get(kind, "")
    return group(name, fields, f"{length} bytes", meaning, source="RFC 8446 section 4.2", value=kind)


def _text(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")


def _server_name(cursor: Cursor, _message: int) -> list[Field]:
    def names(inner: Cursor) -> list[Field]:
        row = Row("Name type", "tls.handshake.extensions_server_name_type", 8, "0 is a host name.")
        fields, _ = inner.table((row,), "RFC 6066 section 3")
        fields += _vector(
            inner,
            "Server name",
            16,
            None,
            key="tls.handshake.extensions_server_name",
            length_key="tls.handshake.extensions_server_name_len",
            source="RFC 6066 section 3",
            meaning="The server's name, in plaintext: TLS does not hide whom you visit.",
        )
        return _as_text(fields, "tls.handshake.extensions_server_name")

    key = "tls.handshake.extensions_server_name_list_len"
    return _vector(cursor, "Server names", 16, names, length_key=key, source="RFC 6066 section 3")


def _as_text(fields: list[Field], key: str) -> list[Field]:
    for one in fields:
        if one.key == key and isinstance(one.value, bytes):
            one.value = one.text = _text(one.value)
    return fields


def _alpn(cursor: Cursor, _message: int) -> list[Field]:
    def protocols(inner: Cursor) -> list[Field]:
        fields = []
        while inner.left:
            fields += _vector(
                inner,
                "Protocol",
                8,
                None,
                key="tls.handshake.extensions_alpn_str",
                length_key="tls.handshake.extensions_alpn_str_len",
                source="RFC 7301 section 3.1",
            )
        return _as_text(fields, "tls.handshake.extensions_alpn_str")

    key = "tls.handshake.extensions_alpn_len"
    return _vector(
        cursor, "Protocols", 16, protocols, key="tls.handshake.extensions_alpn_list", length_key=key
    )


_SUPPORTED_VERSION = Row("Version", "tls.handshake.extensions.supported_version", 16, "{text}", _VERSION)


def _supported_versions(cursor: Cursor, message: int) -> list[Field]:
    if message == SERVER_HELLO:
        return cursor.table((_SUPPORTED_VERSION,), "RFC 8446 section 4.2.1")[0]
    key = "tls.handshake.extensions.supported_versions_len"
    return _vector(
        cursor, "Versions", 8, _items(_SUPPORTED_VERSION), length_key=key, source="RFC 8446 section 4.2.1"
    )


_SHARE_GROUP = Row(
    "Group", "tls.handshake.extensions_key_share_group", 16, "The group or curve: {text}.", _GROUP
)


def _key_share(cursor: Cursor, message: int) -> list[Field]:
    def entry(inner: Cursor) -> list[Field]:
        fields, whole = inner.table((_SHARE_GROUP,), "RFC 8446 section 4.2.8")
        if whole and inner.left:
            fields += _vector(
                inner,
                "Public key",
                16,
                None,
                key="tls.handshake.extensions_key_share_key_exchange",
                length_key="tls.handshake.extensions_key_share_key_exchange_length",
                meaning="Half of a key agreement: both halves are public, the key is not.",
            )
        return fields

    def entries(inner: Cursor) -> list[Field]:
        found = []
        while inner.left >= 4:
            fields = entry(inner)
            found.append(group("Key share", fields, source="RFC 8446 section 4.2.8"))
        return found

    if message == SERVER_HELLO:
        return entry(cursor)
    key = "tls.handshake.extensions_key_share_client_length"
    return _vector(cursor, "Key shares", 16, entries, length_key=key, source="RFC 8446 section 4.2.8")


def _list_extension(name: str, bits: int, row: Row, length_key: str, key: str = ""):
    def body(cursor: Cursor, _message: int) -> list[Field]:
        return _vector(cursor, name, bits, _items(row), length_key=length_key, key=key)

    return body


_EXTENSION_BODIES = {
    0: _server_name,
    10: _list_extension(
        "Groups",
        16,
        Row("Group", "tls.handshake.extensions_supported_group", 16, "{text}", _GROUP),
        "tls.handshake.extensions_supported_groups_length",
        "tls.handshake.extensions_supported_groups",
    ),
    11: _list_extension(
        "Point formats",
        8,
        Row("Format", "tls.handshake.extensions_ec_point_format", 8, "0: uncompressed."),
        "tls.handshake.extensions_ec_point_formats_length",
        "tls.handshake.extensions_ec_point_formats",
    ),
    13: _list_extension(
        "Signature algorithms",
        16,
        Row("Algorithm", "tls.handshake.sig_hash_alg", 16, "{text}", _SIGNATURE),
        "tls.handshake.sig_hash_alg_len",
        "tls.handshake.sig_hash_algs",
    ),
    16: _alpn,
    43: _supported_versions,
    45: _list_extension(
        "Modes",
        8,
        Row("Mode", "tls.extension.psk_ke_mode", 8, "1: with a fresh key agreement, 0: without."),
        "tls.extension.psk_ke_modes_length",
    ),
    51: _key_share,
}


def _certificate(cursor: Cursor) -> list[Field]:
    """TLS 1.3 puts a context before the list and extensions behind each certificate; TLS 1.2 has neither."""
    fields = []
    is_13 = (
        cursor.left >= 4
        and int.from_bytes(cursor.data[cursor.byte : cursor.byte + 3], "big") != cursor.left - 3
    )
    if is_13:
        fields += _vector(
            cursor, "Request context", 8, None, length_key="tls.handshake.certificate_request_context_length"
        )

    def certificates(inner: Cursor) -> list[Field]:
        found = []
        while inner.left >= 4 and len(found) < MOST_ITEMS:
            found += _vector(
                inner,
                "Certificate",
                24,
                None,
                key="tls.handshake.certificate",
                length_key="tls.handshake.certificate_length",
                source="RFC 5280",
                meaning="An X.509 certificate: a name and a public key, signed by someone who should know.",
            )
            if is_13 and inner.left:
                found += _extensions(inner, 11)
        return found

    key = "tls.handshake.certificates_length"
    return fields + _vector(
        cursor,
        "Certificates",
        24,
        certificates,
        key="tls.handshake.certificates",
        length_key=key,
        source="RFC 8446 section 4.4.2",
    )


def _certificate_verify(cursor: Cursor) -> list[Field]:
    row = Row("Algorithm", "tls.handshake.sig_hash_alg", 16, "How it is signed: {text}.", _SIGNATURE)
    fields, whole = cursor.table((row,), "RFC 8446 section 4.4.3")
    if whole and cursor.left:
        meaning = "Only the owner of the certificate's private key can sign this handshake."
        fields += _vector(
            cursor,
            "Signature",
            16,
            None,
            key="tls.handshake.sig",
            length_key="tls.handshake.sig_len",
            meaning=meaning,
        )
    return fields
