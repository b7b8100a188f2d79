"""The extensions of TLS's hellos, field by field (RFC 8446 section 4.2).

extension   type 2 | length 2 | contents, which differ from type to type, and some from message to message
"""

from collections.abc import Callable
from functools import partial

from lab.dissect.fields.tree import Cursor, Field, Row, group, named
from lab.dissect.fields.vectors import Vector
from lab.dissect.tls import names

CLIENT_HELLO, SERVER_HELLO = 1, 2
KEY = "tls.handshake.extensions_"
SHARES, SNI, VERSIONS = "RFC 8446 section 4.2.8", "RFC 6066 section 3", "RFC 8446 section 4.2.1"

_VERSION = named(names.VERSIONS, 4)
_GROUP = named(names.GROUPS, 4)
HEADER = (
    Row("Type", "tls.handshake.extension.type", 16, "Which extension: {text}.", named(names.EXTENSIONS, 4)),
    Row("Length", "tls.handshake.extension.len", 16, "Bytes of the extension behind this field."),
)
GROUP = Row("Group", KEY + "supported_group", 16, "{text}", _GROUP)
POINT_FORMAT = Row("Format", KEY + "ec_point_format", 8, "0: uncompressed.")
SIGNATURE = Row("Algorithm", "tls.handshake.sig_hash_alg", 16, "{text}", named(names.SIGNATURES, 4))
PSK_MODE = Row("Mode", "tls.extension.psk_ke_mode", 8, "1: with a fresh key agreement, 0: without.")
SUPPORTED_VERSION = Row("Version", "tls.handshake.extensions.supported_version", 16, "{text}", _VERSION)
SHARE_GROUP = Row("Group", KEY + "key_share_group", 16, "The group or curve: {text}.", _GROUP)
NAME_TYPE = Row("Name type", KEY + "server_name_type", 8, "0 is a host name.")
SERVER_NAME = Vector(
    "Server name",
    16,
    key=KEY + "server_name",
    length_key=KEY + "server_name_len",
    meaning="The server's name, in plaintext; only Encrypted Client Hello (RFC 9849) puts another name here.",
    source=SNI,
    is_text=True,
)
PROTOCOL = Vector(
    "Protocol",
    8,
    key=KEY + "alpn_str",
    length_key=KEY + "alpn_str_len",
    source="RFC 7301 section 3.1",
    is_text=True,
)
PUBLIC_KEY = Vector(
    "Public key",
    16,
    key=KEY + "key_share_key_exchange",
    length_key=KEY + "key_share_key_exchange_length",
    meaning="Half of a key agreement: both halves are public, the key is not.",
)


def extensions(message: int) -> Vector:
    """Return the vector of extensions of a handshake message of the type ``message``."""
    source, length_key = "RFC 8446 section 4.2", "tls.handshake.extensions_length"
    return Vector(
        "Extensions", 16, partial(_extensions, message=message), length_key=length_key, source=source
    )


def _extensions(cursor: Cursor, message: int) -> list[Field]:
    found: list[Field] = []
    while cursor.left >= 4:
        found.append(_extension(cursor, message))
    return found


def _extension(cursor: Cursor, message: int) -> Field:
    fields, _ = cursor.table(HEADER, "RFC 8446 section 4.2")
    kind, length = fields[0].value, fields[1].value
    inner = cursor.until(cursor.byte + length)
    if kind in CONTENTS and inner.left:
        contents = CONTENTS[kind]
        fields += contents.take(inner) if isinstance(contents, Vector) else contents(inner, message)
    if inner.left:
        fields.append(inner.rest("Contents"))
    cursor.bit = inner.bit
    name, meaning = names.EXTENSIONS.get(kind, f"extension {kind}"), names.EXTENSION_MEANINGS.get(kind, "")
    return group(name, fields, f"{length} bytes", meaning, source="RFC 8446 section 4.2", value=kind)


def _server_name(cursor: Cursor) -> list[Field]:
    return cursor.table((NAME_TYPE,), SNI)[0] + SERVER_NAME.take(cursor)


def _protocols(cursor: Cursor) -> list[Field]:
    found: list[Field] = []
    while cursor.left:
        found += PROTOCOL.take(cursor)
    return found


def _versions(cursor: Cursor, message: int) -> list[Field]:
    if message == SERVER_HELLO:
        return cursor.table((SUPPORTED_VERSION,), VERSIONS)[0]
    length_key = "tls.handshake.extensions.supported_versions_len"
    return Vector("Versions", 8, SUPPORTED_VERSION, length_key=length_key, source=VERSIONS).take(cursor)


def _share(cursor: Cursor) -> list[Field]:
    fields, whole = cursor.table((SHARE_GROUP,), SHARES)
    return fields + (PUBLIC_KEY.take(cursor) if whole and cursor.left else [])


def _shares(cursor: Cursor) -> list[Field]:
    found: list[Field] = []
    while cursor.left >= 4:
        found.append(group("Key share", _share(cursor), source=SHARES))
    return found


def _key_share(cursor: Cursor, message: int) -> list[Field]:
    if message == SERVER_HELLO:
        return _share(cursor)
    length_key = KEY + "key_share_client_length"
    return Vector("Key shares", 16, _shares, length_key=length_key, source=SHARES).take(cursor)


CONTENTS: dict[int, Vector | Callable[[Cursor, int], list[Field]]] = {
    0: Vector("Server names", 16, _server_name, "", KEY + "server_name_list_len", source=SNI),
    10: Vector("Groups", 16, GROUP, KEY + "supported_groups", KEY + "supported_groups_length"),
    11: Vector("Point formats", 8, POINT_FORMAT, KEY + "ec_point_formats", KEY + "ec_point_formats_length"),
    13: Vector(
        "Signature algorithms", 16, SIGNATURE, "tls.handshake.sig_hash_algs", "tls.handshake.sig_hash_alg_len"
    ),
    16: Vector("Protocols", 16, _protocols, KEY + "alpn_list", KEY + "alpn_len"),
    43: _versions,
    45: Vector("Modes", 8, PSK_MODE, "", "tls.extension.psk_ke_modes_length"),
    51: _key_share,
}
