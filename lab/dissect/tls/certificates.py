"""The names in an X.509 certificate, read with ``cryptography``; one that cannot be read has no names."""

import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class CertificateNames:
    """The owner of a certificate and its issuer, as text."""

    subject: str
    issuer: str
    alternative_names: tuple[str, ...]


def certificate_names(der: bytes) -> CertificateNames | None:
    """Return the names in a certificate; None for bytes that are not one."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    unusable = (
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        UnsupportedAlgorithm,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers and the like
        try:
            certificate = x509.load_der_x509_certificate(der)
            names: list[str] = []
            for extension in certificate.extensions:
                if isinstance(extension.value, x509.SubjectAlternativeName):
                    names = [str(name.value) for name in extension.value]
            subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
            return CertificateNames(subject, issuer, tuple(names))
        except (ValueError, TypeError, *unusable):
            return None
