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
TLS 1.2 has one master secret a session, from which one long key block is cut.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lab.dissect.tls import names as tls_names

LARGEST_KEY_LOG = 1 << 24  # bytes


@dataclass(frozen=True)
class Suite:
    """A cipher suite; lengths in bytes."""

    cipher: str  # "AES-GCM", "CHACHA20-POLY1305" or "AES-CBC"
    key_length: int
    hash_name: str  # of the key schedule
    mac_name: str = ""  # the hash of CBC's separate MAC

    @property
    def mac_length(self) -> int:
        return hashlib.new(self.mac_name).digest_size if self.mac_name else 0

    @property
    def iv_length(self) -> int:
        """Return the length of the part of a nonce that is derived (RFC 5288 section 3, RFC 7905 section 2)."""
        return {"AES-GCM": 4, "AES-CBC": 0}.get(self.cipher, 12)


class Keys(NamedTuple):
    """The keys of one direction."""

    key: bytes
    base_iv: bytes
    mac_key: bytes = b""


CIPHERS_BY_NAME = {"_GCM_": "AES-GCM", "_CHACHA20_POLY1305_": "CHACHA20-POLY1305", "_CBC_": "AES-CBC"}


def find_suite(number: int) -> Suite | None:
    """Return the suite that a ServerHello names, or None if this kit does not open it."""
    name = tls_names.CIPHERS.get(number, "")
    cipher = next((one for part, one in CIPHERS_BY_NAME.items() if part in name), None)
    if cipher is None:
        return None
    hash_name = "sha384" if name.endswith("SHA384") else "sha256"
    mac_name = "" if cipher != "AES-CBC" else "sha1" if name.endswith("_SHA") else hash_name
    return Suite(cipher, 16 if "AES_128" in name else 32, hash_name, mac_name)


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


def traffic_key(secret: bytes, suite: Suite) -> Keys:
    """Return key and IV of a traffic secret (RFC 8446 section 7.3)."""
    key = hkdf_expand_label(secret, "key", b"", suite.key_length, suite.hash_name)
    return Keys(key, hkdf_expand_label(secret, "iv", b"", 12, suite.hash_name))


def next_traffic_secret(secret: bytes, suite: Suite) -> bytes:
    """Return the secret after a KeyUpdate (RFC 8446 section 7.2)."""
    return hkdf_expand_label(secret, "traffic upd", b"", len(secret), suite.hash_name)


def prf(secret: bytes, label: str, seed: bytes, length: int, hash_name: str) -> bytes:
    """Return ``length`` bytes of the pseudo-random function of TLS 1.2 (RFC 5246 section 5)."""
    seed = label.encode() + seed
    output, block = b"", seed
    while len(output) < length:
        block = hmac.digest(secret, block, hash_name)
        output += hmac.digest(secret, block + seed, hash_name)
    return output[:length]


def key_block(master: bytes, client_random: bytes, server_random: bytes, suite: Suite) -> tuple[Keys, Keys]:
    """Return the keys of the client and those of the server, cut in the order of RFC 5246 section 6.3."""
    lengths = [length for length in (suite.mac_length, suite.key_length, suite.iv_length) for _ in range(2)]
    block = prf(master, "key expansion", server_random + client_random, sum(lengths), suite.hash_name)
    parts = []
    for length in lengths:
        parts.append(block[:length])
        block = block[length:]
    client_mac, server_mac, client_key, server_key, client_iv, server_iv = parts
    return Keys(client_key, client_iv, client_mac), Keys(server_key, server_iv, server_mac)


def read_key_log(path: Path) -> bytes:
    """Return a file's key log as it is. Raises OSError, also for a file that is not one."""
    with path.open("rb") as file:
        text = file.read(LARGEST_KEY_LOG + 1)
    if len(text) > LARGEST_KEY_LOG:
        raise OSError(0, f"longer than {LARGEST_KEY_LOG >> 20} MiB, which no key log is", str(path))
    if not parse_key_log(text):
        raise OSError(0, "this is not a key log", str(path))
    return text


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
