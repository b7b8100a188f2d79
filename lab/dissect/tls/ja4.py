"""JA4: a short name for the way in which a client says hello, from its ClientHello alone.

    t13d1516h2_8daaf6152771_e5627efa2ab1

    t              TLS over TCP
    13             the highest version offered
    d              the hello names its server (i: it does not)
    15             cipher suites offered
    16             extensions
    h2             first and last character of the first ALPN protocol, 00 without one
    8daaf6152771   SHA-256 of the cipher suites, sorted: the first 12 digits
    e5627efa2ab1   the same of the extensions, without server name and ALPN, and of the signature algorithms

GREASE counts nowhere. Sorting makes the name stay the same where a client shuffles its extensions. This is the client's
part of the definition that FoxIO has published (JA4, BSD licence).

It can tell that two hellos look as if made by the same TLS library with the same settings, be it in a browser, a bot or a
chat. It cannot tell which program or person that was: programs share libraries, and any program can copy another's hello.
"""

import hashlib
from collections.abc import Iterable

from lab.dissect.fields.tls import dissect_handshake
from lab.dissect.fields.tree import Cursor
from lab.dissect.tls.names import GREASE

SERVER_NAME, ALPN = 0, 16
VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
TELLS = "it is the same for the same TLS library with the same settings, whichever program or person uses it"
KEY = "tls.handshake."


def ja4(hello: bytes) -> str:
    """Return the JA4 of a client, from its whole ClientHello (``TlsMessage.data``)."""
    tree = dissect_handshake(Cursor(hello, 0, len(hello)))

    def values(key: str) -> list[int]:
        found = (one.value for one in tree.walk() if one.key == KEY + key)
        return [value for value in found if value not in GREASE]

    ciphers, kinds = values("ciphersuite"), values("extension.type")
    versions = values("extensions.supported_version") or values("version")
    start = "t" + VERSIONS.get(max(versions, default=0), "00") + ("d" if SERVER_NAME in kinds else "i")
    start += f"{min(len(ciphers), 99):02}{min(len(kinds), 99):02}"
    first = next((one for one in tree.walk() if one.key == KEY + "extensions_alpn_str"), None)
    start += _ends(hello[first.start : first.start + first.length] if first else b"")
    extensions = _listed(sorted(kind for kind in kinds if kind not in (SERVER_NAME, ALPN)))
    if signatures := _listed(values("sig_hash_alg")):
        extensions += f"_{signatures}"
    return "_".join([start, _digest(_listed(sorted(ciphers))), _digest(extensions)])


def _ends(protocol: bytes) -> str:
    """Return the ends of a protocol's name; of one that does not begin and end with a letter or digit, in hexadecimal."""
    if not protocol:
        return "00"
    first, last = chr(protocol[0]), chr(protocol[-1])
    if all(one.isascii() and one.isalnum() for one in (first, last)):
        return first + last
    return protocol.hex()[0] + protocol.hex()[-1]


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
