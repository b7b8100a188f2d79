"""The names in an X.509 certificate, read with ``cryptography``."""

import warnings


def certificate_names(der: bytes) -> tuple[str, ...] | None:
    """Return the alternative names in a certificate, as a client compares them; None for other bytes."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    faults = x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers and the like
        try:
            certificate = x509.load_der_x509_certificate(der)
            for extension in certificate.extensions:
                if isinstance(extension.value, x509.SubjectAlternativeName):
                    return tuple(str(name.value) for name in extension.value)
            return ()
        except (ValueError, TypeError, UnsupportedAlgorithm, *faults):
            return None
