"""Sheet 05: what somebody on the path learns, in plaintext and over TLS.

Notebook: 05_plaintext_or_tls. The same three questions are asked of both recordings: what is said, by whom, and how
long it is.
"""


def parse_records(stream):
    """The TLS records that one direction of a connection (bytes) holds: a list of dicts.

    Each: "type" and "version" as numbers, "length" of the fragment in bytes, "fragment" as bytes. A record whose end
    is missing is left out.

    Time: 20 minutes. Source: RFC 8446 section 5.1. Notebook: 05_plaintext_or_tls.
    """
    # Question: one segment may hold three records and half of a fourth. Where does the next one begin?
    raise NotImplementedError("parse_records")


def infer_lengths(records, version):
    """How many bytes each message has that these records carry, for somebody without the keys: a list of numbers.

    ``records`` is a list of (type, length), ``version`` is "TLS 1.2" or "TLS 1.3", both with AES-GCM. Only
    application data (type 23) counts. To the message, AES-GCM adds a tag of 16 bytes; TLS 1.2 puts an explicit nonce
    of 8 bytes before it; TLS 1.3 encrypts the true content type along with it, one byte.

    Time: 15 minutes. Source: RFC 8446 section 5.2, RFC 5288 section 3. Notebook: 05_plaintext_or_tls.
    """
    # Question: "yes" or "no"? What would hide the difference, and at what cost?
    raise NotImplementedError("infer_lengths")


def exposure(payloads, said):
    """What an eavesdropper got of a conversation on the report wire: a dict with "right", "wrong", "total" and
    "share".

    ``payloads`` is a list of (connection, bytes), one for each read of the server's, in order of time; the first of
    each connection is the user's name, what begins with "!" is a command, anything else (UTF-8, wrong bytes as
    U+FFFD) is a line that this user said. ``said`` is the truth: a list of (name, text). "right" counts the lines
    read with the right speaker and text, at most as often as they were said; "wrong" those read that were never said,
    or not so often; "total" is how many were said; "share" is right of total, 0.0 where nothing was said.

    Time: 25 minutes. Source: RFC 7258 section 1. Notebook: 05_plaintext_or_tls.
    """
    # Question: somebody guesses ten thousand lines and hits all that were said. How does your measure treat that?
    raise NotImplementedError("exposure")
