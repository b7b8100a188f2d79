"""Sheet 08: the hello of today, over several segments, and what it says of the client.

Notebook: 08_tls_of_today. Everything here is sent before there is a key, so anybody on the path can read it.
"""


def split_hello(hello):
    """Return (version, cipher suites, extensions) of a ClientHello: bytes that begin with the 4 bytes of its header.

    The extensions are a list of (type, bytes), in the order of the hello. This one is given to you; use it in
    ``key_share_sizes`` and ``ja4``.
    """

    def take(length):
        nonlocal at
        at += length
        return hello[at - length : at]

    def number(length):
        return int.from_bytes(take(length), "big")

    at = 4
    version = number(2)
    take(32)  # the random
    take(number(1))  # the session ID
    suites = take(number(2))
    take(number(1))  # the compression methods
    extensions = []
    end = at + 2 + number(2) if at < len(hello) else at
    while at < end:
        kind = number(2)
        extensions.append((kind, take(number(2))))
    ciphers = [int.from_bytes(suites[place : place + 2], "big") for place in range(0, len(suites), 2)]
    return version, ciphers, extensions


def hello_across_segments(payloads):
    """Return the client's first handshake message, put together from its segments, or None if it is not complete.

    ``payloads`` is a list of bytes, the payloads of the client's segments in the order of the stream. Segments end
    anywhere, even inside the header of a record. The message may span several records of type 22 (5 bytes of header,
    then the fragment). Return the message without the records' headers: one byte of type, three of length, and the
    body. Leave out whatever follows it.

    Time: 20 minutes. Source: RFC 8446 section 5.1. Notebook: 08_tls_of_today.
    """
    # Question: where do you read the length of the message, and when do you know that you have all of it?
    raise NotImplementedError("hello_across_segments")


def is_retry(message):
    """Return whether a handshake message (bytes, with its header of 4 bytes) is a HelloRetryRequest.

    It has the type of a ServerHello (2). Only the random, 32 bytes behind the 2 bytes of the version, tells it apart: it
    is the SHA-256 of ``HelloRetryRequest``.

    Time: 10 minutes. Source: RFC 8446 section 4.1.3. Notebook: 08_tls_of_today.
    """
    # Question: why did nobody give it a type of its own? (Think of the boxes in between.)
    raise NotImplementedError("is_retry")


def key_share_sizes(hello):
    """Return the key shares of a ClientHello: a list of (group, bytes of its public key), in the order of the hello.

    The extension key_share has type 51: 2 bytes of length, then the shares. A share is the number of its group (2
    bytes), the length of the key (2 bytes) and the key. Without the extension, or without shares, the list is empty.

    Time: 20 minutes. Source: RFC 8446 section 4.2.8. Notebook: 08_tls_of_today.
    """
    # Question: a client offers ten groups and sends two keys. What happens if the server wants one of the others?
    raise NotImplementedError("key_share_sizes")


def ja4(hello):
    """Return the JA4 of the client that sent a ClientHello over TCP: text such as ``t13d1516h2_8daaf6152771_e5627efa2ab1``.

    GREASE (0x0A0A, 0x1A1A, ... 0xFAFA) counts nowhere, be it a version, a suite, an extension or an algorithm.

    - ``t``, for TCP; ``13`` or ``12``, the highest version offered: in the extension supported_versions (43: 1 byte
      of length, then 2 bytes each), or if there is none, the version of the hello. 0x0304 is 13, 0x0303 is 12.
    - ``d`` if there is a server name (extension 0), otherwise ``i``
    - how many cipher suites and how many extensions: two digits each, at most 99
    - the first and last character of the first protocol in the extension ALPN (16: 2 bytes of length, then
      protocols: 1 byte of length and the name), ``00`` without one. All names here begin and end with a letter or digit.
    - ``_`` and the first 12 digits of the SHA-256 of the cipher suites: sorted, as four hexadecimal digits each (small
      letters), with commas between them
    - ``_`` and the same of the extensions, without 0 and 16; then, if there are signature algorithms (extension 13: 2 bytes
      of length, then 2 bytes each), ``_`` and these, in the order of the hello. Without suites or extensions: 12 zeros

    Time: 45 minutes. Source: FoxIO's JA4, RFC 8701 section 2. Notebook: 08_tls_of_today.
    """
    # Question: why are suites and extensions sorted, and signature algorithms not?
    raise NotImplementedError("ja4")
