"""The names in an X.509 certificate, read with ``cryptography``."""

import warnings


def certificate_names(der: bytes) -> tuple[str, ...] | None:
    """Return the alternative names in a certificate, which clients compare; None for bytes that are not one."""
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
            for extension in certificate.extensions:
                if isinstance(extension.value, x509.SubjectAlternativeName):
                    return tuple(str(name.value) for name in extension.value)
            return ()
        except (ValueError, TypeError, *unusable):
            return None
