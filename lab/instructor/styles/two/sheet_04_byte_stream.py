"""Sheet 04 byte by byte."""

import json


def another_reading(messages):
    text = "".join(messages)
    candidates = [[text], [text[:-1], text[-1:]], [text[:1], text[1:]]]
    for candidate in candidates:
        if candidate != messages and all(candidate):
            return candidate


def frames_carrying(segments, start, length):
    expected = segments[0]["seq"] + 1
    position = 0
    found = []
    for one in segments[1:]:
        data = one["payload"]
        old = (expected - one["seq"]) % 2**32
        if old >= len(data):
            continue
        new = len(data) - old
        if position < start + length and position + new > start:
            found.append(one["frame"])
        position += new
        expected = (expected + new) % 2**32
    return found


class LineDecoder:
    def __init__(self, limit=16384):
        self.limit = limit
        self.line = []

    def feed(self, data):
        messages = []
        for byte in data:
            if len(self.line) + 1 > self.limit - (byte != 10):
                raise ValueError("too long")
            if byte == 10:
                try:
                    message = json.loads(bytes(self.line).decode())
                except UnicodeDecodeError as error:
                    raise ValueError("no UTF-8") from error
                self.line.clear()
                if not isinstance(message, dict):
                    raise ValueError("no object")
                messages.append(message)
            else:
                self.line.append(byte)
        return messages
