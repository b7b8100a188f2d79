"""TLS contexts for both sides: what is trusted, which versions are spoken, and the key log of a lesson.

The client always checks the server's certificate and that it was made for the host name or address it asked for;
there is no switch for that. TLS 1.2 and 1.3 only (RFC 8996 withdrew the older ones). A *key log* holds the secrets of
each session, so that Wireshark can open the recording: it is written only where somebody asks for it by name.
"""

import ssl
from pathlib import Path

from lab.chat.private_file import make_private

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsError(OSError):
    """A certificate or key that cannot be used; the text says which and what to do."""


def server_context(certificate: Path | str, key: Path | str, version: str | None = None) -> ssl.SSLContext:
    """What a server needs. ``version`` is "1.2" or "1.3" to allow that one alone. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key under a password would make OpenSSL ask at the terminal, in a thread's stead: refuse it instead.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TlsError(
            f"cannot use the certificate {certificate} with the key {key}: {reason}; "
            "make a pair with: python3 lab certs DIR"
        ) from error
    context.num_tickets = 0  # session tickets travel as application data and would count as messages
    return _limit(context, version)


def client_context(
    ca_file: Path | str | None = None, version: str | None = None, key_log: Path | str | None = None
) -> ssl.SSLContext:
    """What a client needs: trust in ``ca_file`` alone, or without one in the system's authorities. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TlsError(
            f"cannot read the CA file {ca_file}: {reason}; it should be the ca.pem of the server's maker"
        ) from error
    if key_log:
        try:
            make_private(key_log)
            context.keylog_filename = str(key_log)
        except OSError as error:
            raise TlsError(f"cannot write the key log {key_log}: {error.strerror}") from error
    return _limit(context, version)


def _limit(context: ssl.SSLContext, version: str | None) -> ssl.SSLContext:
    context.minimum_version = VERSIONS[version or "1.2"]
    if version:
        context.maximum_version = VERSIONS[version]
    return context
