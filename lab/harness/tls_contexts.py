"""Make the TLS contexts of both sides of a recording, by Python's own OpenSSL or by pyOpenSSL's."""

import ssl
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.chat.private_file import make_private
from lab.chat.tls import client_context, server_context
from lab.harness.variant import Variant

SERVER_NAME = "chat.lab.test"  # in the certificate, and expected by clients (RFC 6761: never a real name)
CERTIFICATE_NAMES = (SERVER_NAME, "localhost", "127.0.0.1")
KEY_LOG_NOTE = (
    "# The TLS secrets of one lab recording, written on purpose: they are public and protect nothing.\n"
)


def contexts(
    stack: ExitStack, variant: Variant, key_log_path: Path | None = None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's context of a variant with TLS; the server's key is kept until ``stack`` ends."""
    from lab.harness import certificates

    folder = stack.enter_context(TemporaryDirectory(prefix="lab-keys-"))
    made = certificates.issue(folder, CERTIFICATE_NAMES)
    if key_log_path:
        make_private(key_log_path)
        key_log_path.write_text(KEY_LOG_NOTE)
    if variant.needs_pyopenssl:
        from lab.harness import openssl_peer

        return openssl_peer.contexts(variant, made, key_log_path)
    client = client_context(made.ca, variant.tls, key_log_path)
    return server_context(made.certificate, made.key, variant.tls), client
