"""From secrets to keys: the key schedules of TLS 1.3 (RFC 8446 section 7) and TLS 1.2 (RFC 5246 section 6.3).

              0                                         TLS 1.3, names as in the RFC
              |
    PSK or 0 -> HKDF-Extract = Early Secret
              |
         Derive-Secret(., "derived", "")
              |
    (EC)DHE -> HKDF-Extract = Handshake Secret --+--> "c hs traffic", "s hs traffic": handshake traffic secrets
              |
         Derive-Secret(., "derived", "")
              |
         0 -> HKDF-Extract = Master Secret ------+--> "c ap traffic", "s ap traffic": application traffic secrets

A key log (``SSLKEYLOGFILE``) holds the traffic secrets on the right: what stands to the left of them takes the
result of the key agreement, and is not computed here. A key and an IV are derived from each traffic secret.
TLS 1.2 has one master secret a session, from which one long key block is cut. The primitives (HMAC, the
ciphers) are those of the standard library and of the ``cryptography`` package; only the order of the steps is
ours.
"""

import hmac
import struct
from dataclasses import dataclass

from lab.dissect.tls import names as tls_names


@dataclass(frozen=True)
class Suite:
    """A cipher suite; lengths in bytes."""

    cipher: str  # "AES-GCM" or "CHACHA20-POLY1305"
    key_length: int
    hash_name: str


def find_suite(number: int) -> Suite | None:
    """Return the suite that a ServerHello names, or None if this kit does not open it."""
    name = tls_names.CIPHERS.get(number, "")
    cipher = "AES-GCM" if "_GCM_" in name else "CHACHA20-POLY1305"
    if "_GCM_" not in name and "CHACHA20_POLY1305" not in name:
        return None
    hash_name = "sha384" if name.endswith("SHA384") else "sha256"
    return Suite(cipher, 16 if "AES_128" in name else 32, hash_name)


# --- TLS 1.3 ---


def hkdf_expand(secret: bytes, info: bytes, length: int, hash_name: str) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3)."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), hash_name)
        output += block
        counter += 1
    return output[:length]


def hkdf_expand_label(secret: bytes, label: str, context: bytes, length: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1)."""
    full = b"tls13 " + label.encode()
    info = struct.pack(">HB", length, len(full)) + full + bytes([len(context)]) + context
    return hkdf_expand(secret, info, length, hash_name)


def traffic_key(secret: bytes, suite: Suite) -> tuple[bytes, bytes]:
    """Return key and IV of a traffic secret (RFC 8446 section 7.3)."""
    key = hkdf_expand_label(secret, "key", b"", suite.key_length, suite.hash_name)
    return key, hkdf_expand_label(secret, "iv", b"", 12, suite.hash_name)


def next_traffic_secret(secret: bytes, suite: Suite) -> bytes:
    """Return the secret after a KeyUpdate (RFC 8446 section 7.2)."""
    return hkdf_expand_label(secret, "traffic upd", b"", len(secret), suite.hash_name)


# --- TLS 1.2 ---


def prf(secret: bytes, label: str, seed: bytes, length: int, hash_name: str) -> bytes:
    """Return ``length`` bytes of the pseudo-random function of TLS 1.2 (RFC 5246 section 5)."""
    seed = label.encode() + seed
    output, block = b"", seed
    while len(output) < length:
        block = hmac.digest(secret, block, hash_name)
        output += hmac.digest(secret, block + seed, hash_name)
    return output[:length]


def key_block(
    master: bytes, client_random: bytes, server_random: bytes, suite: Suite
) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Return key and IV of the client, and those of the server, cut in the order of RFC 5246 section 6.3."""
    # The part of a nonce that comes from here (RFC 5288 section 3, RFC 7905 section 2).
    key, iv = suite.key_length, 4 if suite.cipher == "AES-GCM" else 12
    block = prf(master, "key expansion", server_random + client_random, 2 * (key + iv), suite.hash_name)
    client_key, server_key = block[:key], block[key : 2 * key]
    client_iv, server_iv = block[2 * key : 2 * key + iv], block[2 * key + iv :]
    return (client_key, client_iv), (server_key, server_iv)


# --- key logs ---


def parse_key_log(text: bytes) -> dict[tuple[str, bytes], bytes]:
    """Return the secrets of a key log in the NSS format, by (label, client random). Other lines are skipped.

    One line a secret: a label, the ClientHello's 32 random bytes and the secret, both in hexadecimal.
    """
    secrets: dict[tuple[str, bytes], bytes] = {}
    for line in text.decode("ascii", "replace").splitlines():
        words = line.split()
        if len(words) != 3 or not words[0].startswith(("CLIENT_", "SERVER_")):
            continue
        try:
            secrets[words[0], bytes.fromhex(words[1])] = bytes.fromhex(words[2])
        except ValueError:
            continue
    return secrets
