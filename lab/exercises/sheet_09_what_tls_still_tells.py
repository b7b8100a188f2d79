"""Sheet 09: what TLS still tells, by times and sizes alone.

Notebook: 09_what_tls_still_tells. Nothing here needs a key: whoever sees the records sees this.
"""


def keystroke_intervals(records):
    """Return the times between the keys of somebody who types, in milliseconds: a list of whole numbers.

    ``records`` is a list of (time in ms, size, direction) in order of time; direction is +1 to the client, -1 from it. The
    client sends a notice for each key, and all notices have one size: the one that is most frequent among the records
    from the client, and of several such sizes the smallest. Fewer than two notices have no intervals.

    Time: 15 minutes. Source: RFC 8446 appendix E.3. Notebook: 09_what_tls_still_tells.
    """
    # Question: why do the records to the client not matter here?
    raise NotImplementedError("keystroke_intervals")


def record_sizes(stream):
    """Return the sizes of what the records of application data carry, in bytes: a list in the order of the stream.

    ``stream`` is what one side of a TLS 1.3 connection sent, as bytes. A record has a header of 5 bytes (type, version of 2
    bytes, length of 2 bytes) and as many bytes as the length says. Application data has type 23; its length counts 16 bytes
    of tag and 1 of the true content type, which are not part of the size. Leave out a record that is cut off at the end.

    Time: 15 minutes. Source: RFC 8446 section 5.2. Notebook: 09_what_tls_still_tells.
    """
    # Question: what hides behind type 23 beside the lines of the chat?
    raise NotImplementedError("record_sizes")


def nearest_centroid(known, asked):
    """Return the label whose centroid is nearest to a row: a text.

    ``known`` is a dict: label -> rows of that label, at least one, each a list of numbers; ``asked`` is one more row, of the
    same length. A centroid is the mean of a label's rows, column by column. The distance is the sum of the squared
    differences of all columns. Of labels that are equally near, return the first one in alphabetical order.

    Time: 20 minutes. Source: no standard: a textbook classifier. Notebook: 09_what_tls_still_tells.
    """

    # Question: one column is in bytes, another in seconds. Which of them decides, and what would you do about it?
    raise NotImplementedError("nearest_centroid")


def cost_of_padding(sizes, block):
    """Return (how many bytes more padding sends, how many different sizes are left) for messages of these sizes.

    Each message fills a TLS 1.3 record of its own: its bytes, 1 byte for the content type, then zeros until the sum of
    these is a multiple of ``block``. If it is one already, nothing is added. The sum is never more than 16,385 bytes: where
    the next multiple would be, it is filled up to 16,385. Two messages have one size if these sums are equal.

    Time: 15 minutes. Source: RFC 8446 section 5.4. Notebook: 09_what_tls_still_tells.
    """
    # Question: which block hides all of a conversation, and why does nobody use it?
    raise NotImplementedError("cost_of_padding")
