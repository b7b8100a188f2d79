"""The extensions of TLS's hellos, field by field (RFC 8446 section 4.2).

extension   type 2 | length 2 | contents, which differ from type to type, and some from message to message
"""

from functools import partial

from lab.dissect.fields.tree import Cursor, Field, Row, Taker, group, in_hex, named
from lab.dissect.fields.vectors import Vector
from lab.dissect.tls import names

CLIENT_HELLO, SERVER_HELLO = 1, 2
RETRY_REQUEST = 6  # its number in the drafts; since then it is a ServerHello whose random is a constant
KEY_SHARE, COOKIE, ECH = 51, 44, 0xFE0D
KEY = "tls.handshake.extensions_"
SHARES, SNI, VERSIONS = "RFC 8446 section 4.2.8", "RFC 6066 section 3", "RFC 8446 section 4.2.1"

_VERSION = named(names.VERSIONS | names.GREASE, 4)
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
_PLAIN = "The server's name, in plaintext; only Encrypted Client Hello (RFC 9849) puts another name here."
_NAME, _NAME_LENGTH = KEY + "server_name", KEY + "server_name_len"
SERVER_NAME = Vector("Server name", 16, _NAME, _NAME_LENGTH, _PLAIN, SNI, is_text=True)
_ALPN, _ALPN_LENGTH = KEY + "alpn_str", KEY + "alpn_str_len"
PROTOCOL = Vector("Protocol", 8, _ALPN, _ALPN_LENGTH, "", "RFC 7301 section 3.1", is_text=True)
_HALF = "Half of a key agreement: both halves are public, the key is not."
_PARTS = {
    "encapsulation": "A public key: for it the server makes a secret and seals it, so that only the client can open it.",
    "ciphertext": "The server's secret, sealed for the client's encapsulation key.",
    "public": _HALF,
}
_EXCHANGE = KEY + "key_share_key_exchange"
PUBLIC_KEY = Vector("Public key", 16, _EXCHANGE, _EXCHANGE + "_length", _HALF)
_SELECTED, _ASKED_FOR = KEY + "key_share_selected_group", "The group that the server asks for: {text}."
SELECTED_GROUP = Row("Selected group", _SELECTED, 16, _ASKED_FOR, _GROUP)
_COOKIE = "tls.handshake.extensions.cookie"


def _share(cursor: Cursor, source: str) -> list[Field]:
    """Take one of a client's key shares."""
    return [group("Key share", _key_exchange(cursor, source, 0), source=source)]


def _key_exchange(cursor: Cursor, source: str, side: int) -> list[Field]:
    """Take a group and a public key of it, whose parts are named if they have the sizes that the group prescribes."""
    fields, whole = cursor.table((SHARE_GROUP, PUBLIC_KEY), source)
    if not whole:
        return fields
    parts = names.KEY_SHARES.get(fields[0].value, ((), ()))[side]
    public_key = fields[-1]
    if public_key.name == PUBLIC_KEY.name and public_key.length == sum(size for _, size in parts):
        inner = Cursor(cursor.data, public_key.start, cursor.byte)
        for name, size in parts:
            meaning = next(text for word, text in _PARTS.items() if word in name)
            defined = "FIPS 203 section 8" if "KEM" in name else source
            public_key.children.append(inner.run(size, name, meaning, source=defined))
        public_key.text = " and ".join(f"{name} ({size} bytes)" for name, size in parts)
    return fields


# Encrypted Client Hello, as in the hello that everybody sees (RFC 9849 section 5).
_ECH_KIND = "0: a hello that everybody sees, around an encrypted one; 1: the encrypted one itself."
_CONFIG = "Which of the server's published keys was used; random in GREASE."
_KEY_HALF = "Half of the agreement on the key that encrypts the inner hello."
_INNER = "The inner hello with the real server name; or, in GREASE, random bytes."
ECH_OUTER = (
    Row("Type", "", 8, _ECH_KIND),
    Row("Key derivation", "", 16, "1 is HKDF with SHA-256.", in_hex(4)),
    Row("Cipher", "", 16, "1 is AES-128-GCM, 3 is ChaCha20-Poly1305.", in_hex(4)),
    Row("Configuration", "", 8, _CONFIG),
    Vector("Encapsulated key", 16, meaning=_KEY_HALF),
    Vector("Encrypted hello", 16, meaning=_INNER),
)


def _ech(cursor: Cursor, source: str) -> list[Field]:
    is_outer = cursor.left and cursor.data[cursor.byte] == 0
    return cursor.table(ECH_OUTER if is_outer else ECH_OUTER[:1], source)[0]


_SIGNED, _SIGNED_LENGTH = "tls.handshake.sig_hash_algs", "tls.handshake.sig_hash_alg_len"
_POINTS, _POINTS_LENGTH = KEY + "ec_point_formats", KEY + "ec_point_formats_length"
_VERSIONS_LENGTH = "tls.handshake.extensions.supported_versions_len"
_SHARES_LENGTH = KEY + "key_share_client_length"
# The contents of an extension, by its type.
CONTENTS = {
    0: Vector("Server names", 16, "", KEY + "server_name_list_len", "", SNI, (NAME_TYPE, SERVER_NAME)),
    10: Vector("Groups", 16, KEY + "supported_groups", KEY + "supported_groups_length", items=(GROUP,)),
    11: Vector("Point formats", 8, _POINTS, _POINTS_LENGTH, items=(POINT_FORMAT,)),
    13: Vector("Signature algorithms", 16, _SIGNED, _SIGNED_LENGTH, items=(SIGNATURE,)),
    16: Vector("Protocols", 16, KEY + "alpn_list", KEY + "alpn_len", items=(PROTOCOL,)),
    43: Vector("Versions", 8, "", _VERSIONS_LENGTH, "", VERSIONS, (SUPPORTED_VERSION,)),
    COOKIE: Vector("Cookie", 16, _COOKIE, _COOKIE + "_len", "", "RFC 8446 section 4.2.2"),
    45: Vector("Modes", 8, "", "tls.extension.psk_ke_modes_length", items=(PSK_MODE,)),
    KEY_SHARE: Vector("Key shares", 16, "", _SHARES_LENGTH, "", SHARES, (_share,)),
}
# The server chooses one version and sends one key share, or asks for one of another group.
CHOSEN: dict[int, dict[int, tuple[Row | Taker, str]]] = {
    CLIENT_HELLO: {ECH: (_ech, "RFC 9849 section 5")},
    SERVER_HELLO: {43: (SUPPORTED_VERSION, VERSIONS), KEY_SHARE: (partial(_key_exchange, side=1), SHARES)},
    RETRY_REQUEST: {43: (SUPPORTED_VERSION, VERSIONS), KEY_SHARE: (SELECTED_GROUP, SHARES)},
}


def extensions(message: int) -> Vector:
    """Return the vector of extensions of a handshake message of the type ``message``."""
    source, length_key = "RFC 8446 section 4.2", "tls.handshake.extensions_length"
    return Vector("Extensions", 16, "", length_key, "", source, (partial(_extension, message=message),))


def _extension(cursor: Cursor, source: str, message: int) -> list[Field]:
    fields, whole = cursor.table(HEADER, source)
    if not whole:
        return fields
    kind, length = fields[0].value, fields[1].value
    inner = cursor.part(length)
    if chosen := CHOSEN.get(message, {}).get(kind):
        item, its_source = chosen
        fields += inner.table((item,), its_source)[0]
    elif kind in CONTENTS:
        fields += CONTENTS[kind](inner, source)
    if inner.left:
        fields.append(inner.rest("Contents"))
    name, meaning = names.EXTENSIONS.get(kind, f"extension {kind}"), names.EXTENSION_MEANINGS.get(kind, "")
    return [group(name, fields, f"{length} bytes", meaning, source=source, value=kind)]
