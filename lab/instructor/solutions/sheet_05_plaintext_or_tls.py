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
    # solution:
    records = []
    at = 0
    while at + 5 <= len(stream):
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        if at + 5 + length > len(stream):
            break
        records.append(
            {
                "type": stream[at],
                "version": int.from_bytes(stream[at + 1 : at + 3], "big"),
                "length": length,
                "fragment": stream[at + 5 : at + 5 + length],
            }
        )
        at += 5 + length
    return records
    # :solution


def infer_lengths(records, version):
    """Return the length in bytes of each message in these records, inferred without the keys: a list.

    ``records`` is a list of (type, length); ``version`` is "TLS 1.2" or "TLS 1.3", both with AES-GCM. Only
    records of type 23 count, and every one of them does. AES-GCM adds a tag of 16 bytes to the message. TLS
    1.2 puts an explicit nonce of 8 bytes before it. TLS 1.3 encrypts the real content type, one byte, along
    with it.

    Time: 15 minutes. Source: RFC 8446 section 5.2, RFC 5288 section 3. Notebook: 05_plaintext_or_tls.
    """
    # Question: "yes" or "no"? What would hide the difference, and at what cost?
    # solution:
    overhead = {"TLS 1.2": 8 + 16, "TLS 1.3": 1 + 16}[version]
    return [length - overhead for kind, length in records if kind == 23]
    # :solution


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
    # solution:
    if version == "TLS 1.3":
        for place, (kind, length) in enumerate(records):
            if kind == 23:
                return place if length in (4 + 32 + 17, 4 + 48 + 17) else None
        return None
    for place, (kind, _) in enumerate(records[1:], 1):
        if records[place - 1][0] == 20:
            return place if kind == 22 else None
    return None
    # :solution


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
    # solution:
    names, read = {}, []
    for connection, data in payloads:
        text = data.decode("utf-8", errors="replace")
        if connection not in names:
            names[connection] = text
        elif not text.startswith("!"):
            read.append((names[connection], text))
    left = list(said)
    right = wrong = 0
    for who, text in read:
        if (who, text) in left:
            left.remove((who, text))
            right += 1
        else:
            wrong += 1
    return {"right": right, "wrong": wrong, "total": len(said), "share": right / len(said) if said else 0.0}
    # :solution
