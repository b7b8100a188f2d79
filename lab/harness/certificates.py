"""Make a throw-away certificate authority for TLS lessons and tests. Needs the package cryptography.

Nobody should trust it outside the lab, and nobody can for long: its certificates end after ``DAYS`` and its own key is
never written. It writes three PEM files: ``ca.pem``, the authority's certificate, which clients have to
trust; ``server.pem`` and ``server.key``, the server's certificate and private key.
"""

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 30
KEY_USAGES = (  # RFC 5280 section 4.2.1.3
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """Paths of the three files."""

    ca: Path
    certificate: Path
    key: Path


def issue(folder: Path | str, names: Sequence[str] = LOOPBACK_NAMES, days: int = DAYS) -> Certificates:
    """Make a new authority and a server certificate for ``names`` (host names and addresses) in ``folder``.

    ``days`` may be negative: a certificate that has expired already, for the lesson of what a client then does.
    Raises OSError where the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _common_name("Lab kit throw-away authority: trust it for nothing")
    ca = _certificate(ca_name, ca_name, ca_key, max(days, DAYS), is_ca=True).sign(ca_key, hashes.SHA256())
    issuer = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    server = (
        _certificate(_common_name(names[0][:64]), ca_name, server_key, days, is_ca=False)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = server_key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    _write_new(made.ca, ca.public_bytes(pem), 0o644)
    _write_new(made.certificate, server.public_bytes(pem), 0o644)
    _write_new(made.key, key, 0o600)  # its owner's alone
    return made


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a new file in the place of an old one; a link itself is replaced, not what it points to."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int, is_ca: bool
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(days=days)
    allowed = ("key_cert_sign", "crl_sign") if is_ca else ("digital_signature",)
    usage = x509.KeyUsage(**{name: name in allowed for name in KEY_USAGES})
    constraints = x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - datetime.timedelta(days=1))  # the class's clocks differ
        .not_valid_after(end)
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
