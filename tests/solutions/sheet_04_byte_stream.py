"""Sheet 04: TCP is a stream of bytes; messages are somebody else's business.

Notebook: 04_byte_stream. Here you say why the report's wire cannot be read reliably, and write the receiver that can:
one JSON object a line.
"""

import json


def another_reading(messages):
    """A different conversation that puts exactly the same bytes on the report wire, or None where there is no other.

    ``messages`` is the list of texts that a client said one after the other (not empty, each sent as UTF-8 without
    anything between). Give another list of texts, none of them empty, whose bytes are the same: whoever can always
    find one has shown that a receiver cannot know what was said.

    Time: 15 minutes. Source: RFC 9293 section 3.8. Notebook: 04_byte_stream.
    """
    # Question: what of a message's edges is left in a stream of bytes?
    # solution:
    if len(messages) > 1:
        return ["".join(messages)]
    [text] = messages
    return [text[:1], text[1:]] if len(text) > 1 else None
    # :solution


def frames_carrying(segments, start, length):
    """The numbers of the frames that carry the bytes ``start`` to ``start + length`` (not included) of one
    direction's stream.

    ``segments`` are those of one direction in the order of the recording, beginning with its SYN; each is a dict with
    "frame", "seq", "flags" and "payload". Byte 0 of the stream is the first byte of data; ``length`` is at least 1.
    Bytes that came more than once count for the frame that brought them first. The frames in the order of their
    bytes; nothing is lost or overtaken here, but the numbers may wrap around.

    Time: 25 minutes. Source: RFC 9293 section 3.4. Notebook: 04_byte_stream.
    """
    # Question: a message of 100 bytes ends just where a segment ends. Is the next frame part of it?
    # solution:
    [syn] = [one for one in segments[:1] if "SYN" in one["flags"]]
    frames, received = [], 0
    for one in segments:
        offset = (one["seq"] - syn["seq"] - 1) % 2**32 if "SYN" not in one["flags"] else 0
        end = offset + len(one["payload"])
        first_new = max(offset, received)
        if end > received:
            received = end
            if first_new < start + length and end > start:
                frames.append(one["frame"])
    return frames
    # :solution


class LineDecoder:
    """Receiver of the json wire: bytes in, messages out, however the stream was cut.

    A message is one JSON object, in UTF-8, on a line that ends with a newline (the byte 10, which JSON never holds
    unescaped). A line has at most ``limit`` bytes, its newline counted. ``feed(data)`` gives the list of messages
    (dicts) that ``data`` completes; what is not complete waits for the next call. It raises ValueError as soon as a
    line is known to be too long, whether its newline has come or not, and for a line that is not a JSON object.

    Time: 35 minutes. Source: RFC 8259 section 8, RFC 3629 section 3. Notebook: 04_byte_stream.
    """

    def __init__(self, limit=16384):
        # Question: what must be kept from one call to the next?
        # solution:
        self.limit = limit
        self.rest = b""
        # :solution

    def feed(self, data):
        # Question: may the cut fall inside a character of two bytes? Where is it safe to decode?
        # solution:
        *lines, self.rest = (self.rest + data).split(b"\n")
        messages = []
        for line in lines:
            if len(line) + 1 > self.limit:
                raise ValueError("a line is too long")
            message = json.loads(line.decode("utf-8"))
            if not isinstance(message, dict):
                raise ValueError("a line is not a JSON object")
            messages.append(message)
        if len(self.rest) >= self.limit:
            raise ValueError("a line is too long")
        return messages
        # :solution
