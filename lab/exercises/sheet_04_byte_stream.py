"""Sheet 04: TCP delivers a stream of bytes; where a message ends is the application's business.

Notebook: 04_byte_stream. You show why the report's wire cannot be read reliably, and write the receiver for
one that can: one JSON object per line.
"""

import json


def another_reading(messages):
    """Return another conversation that puts the same bytes on the report wire, or None if none exists.

    ``messages`` is the list of texts that a client sent one after the other: at least one, none of them
    empty, each encoded as UTF-8, with nothing between them. Return another list of texts, none of them empty,
    whose bytes are exactly the same. If you can always find one, you have shown that a receiver cannot know
    what was said.

    Time: 15 minutes. Source: RFC 9293 sections 2.2 and 3.7. Notebook: 04_byte_stream.
    """
    # Question: what is left of a message's boundaries in a stream of bytes?
    raise NotImplementedError("another_reading")


def frames_carrying(segments, start, length):
    """Return the numbers of the frames that carry ``length`` bytes of a stream, from byte ``start`` on.

    ``segments`` are those of one direction in the order of the recording, beginning with its SYN; each is a
    dict with "frame", "seq", "flags" and "payload". Byte 0 of the stream is the first byte of data;
    ``length`` is at least 1, and all of the range was recorded. A byte that arrived more than once belongs to
    the frame that carried it first. List the frames in the order of their bytes. Nothing is lost or reordered
    here, but the numbers may wrap around.

    Time: 25 minutes. Source: RFC 9293 section 3.4. Notebook: 04_byte_stream.
    """
    # Question: a message of 100 bytes ends exactly where a segment ends. Is the next frame part of it?
    raise NotImplementedError("frames_carrying")


class LineDecoder:
    """The receiver of the json wire: bytes in, messages out, however the stream was cut.

    A message is one JSON object, in UTF-8, on a line that ends with a newline (byte 10). A newline never
    occurs inside a message: JSON escapes it in strings, and this wire does not use it elsewhere. A line has
    at most ``limit`` bytes, including its newline. ``feed(data)`` returns the list of messages (dicts) that
    ``data`` completes; an incomplete line waits for the next call. ``feed`` raises ValueError for a line that
    is not a JSON object, and for a line that is too long; for this one as soon as that is known, with or
    without its newline. What a decoder does after a ValueError is not checked.

    Time: 35 minutes. Source: RFC 8259 sections 2, 7 and 8, RFC 3629 section 3. Notebook: 04_byte_stream.
    """

    def __init__(self, limit=16384):
        # Question: what must be kept from one call to the next?
        raise NotImplementedError("LineDecoder")

    def feed(self, data):
        # Question: can a cut fall inside a character of two bytes? Where is it safe to decode?
        raise NotImplementedError("LineDecoder")
