"""Sheet 05: what somebody on the path learns, in plaintext and over TLS.

Notebook: 05_plaintext_or_tls. You ask the same three questions of both recordings: what is said, who says it,
and how long it is.
"""


def parse_records(stream):
    """Return the TLS records in one direction of a connection (bytes): a list of dicts.

    Each dict has "type" and "version" as numbers, "length" of the fragment in bytes, and "fragment" as bytes.
    Leave out a record whose end is missing.

    Time: 20 minutes. Source: RFC 8446 section 5.1. Notebook: 05_plaintext_or_tls.
    """
    # Question: one segment may hold three records and half of a fourth. Where does the next one begin?
    raise NotImplementedError("parse_records")


def infer_lengths(records, version):
    """Return the length in bytes of each message in these records, inferred without the keys: a list.

    ``records`` is a list of (type, length); ``version`` is "TLS 1.2" or "TLS 1.3", both with AES-GCM. Only
    records of type 23 count, and every one of them does. AES-GCM adds a tag of 16 bytes to the message. TLS
    1.2 puts an explicit nonce of 8 bytes before it. TLS 1.3 encrypts the real content type, one byte, along
    with it.

    Time: 15 minutes. Source: RFC 8446 section 5.2, RFC 5288 section 3. Notebook: 05_plaintext_or_tls.
    """
    # Question: "yes" or "no"? What would hide the difference, and at what cost?
    raise NotImplementedError("infer_lengths")


def find_finished(records, version):
    """Return the place of the client's Finished among its records, counted from 0, or None.

    ``records`` is a list of (type, length), all that a client sent, from the beginning of the connection on;
    ``version`` is "TLS 1.2" or "TLS 1.3". The client has no certificate. Finished ends the client's part of the
    handshake. In TLS 1.2, it is the first record after change cipher spec (type 20), and still of type 22. In
    TLS 1.3, it is the first encrypted record (type 23), and 4 + 32 + 17 or 4 + 48 + 17 bytes long (a header,
    a hash, and what encryption adds). Anything else in its place is an alert; then, or where the recording ends
    before it, there is no Finished.

    Time: 15 minutes. Source: RFC 8446 section 4.4.4, RFC 5246 section 7.4.9. Notebook: 05_plaintext_or_tls.
    """
    # Question: what does a client know once the other side's Finished fits, and did not know before?
    raise NotImplementedError("find_finished")


def exposure(payloads, said):
    """Measure how much of a conversation on the report wire an eavesdropper recovered.

    ``payloads`` is a list of (connection, bytes), one for each read by the server, in order of time. The
    first one of each connection is the user's name. One that begins with "!" is a command. Anything else is a
    line that this user said (UTF-8, invalid bytes as U+FFFD). ``said`` is the truth: a list of (name, text).

    Return a dict. "right" counts the lines read with the right speaker and text, each at most as often as it
    was said; "wrong" counts the lines read that were never said, or not that often; "total" is the number of
    lines said; "share" is right divided by total, or 0.0 if nothing was said.

    Time: 25 minutes. Source: RFC 7258 section 1, on listening as an attack. Notebook: 05_plaintext_or_tls.
    """
    # Question: somebody guesses ten thousand lines, and every line said is among them. How does your measure treat that?
    raise NotImplementedError("exposure")
