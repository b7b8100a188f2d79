"""Sheet 04: other answers that are right too."""

import json


def another_reading(messages):
    letters = list("".join(messages))
    if letters != list(messages):
        return letters
    if len(letters) == 1:
        return None
    return [letters[0] + letters[1], *letters[2:]]


def frames_carrying(segments, start, length):
    base = (segments[0]["seq"] + 1) % 2**32
    owner = {}
    for one in segments:
        if "SYN" in one["flags"]:
            continue
        offset = (one["seq"] - base) % 2**32
        for at in range(offset, offset + len(one["payload"])):
            owner.setdefault(at, one["frame"])
    return list(dict.fromkeys(owner[at] for at in range(start, start + length)))


class LineDecoder:
    def __init__(self, limit=16384):
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data):
        self._buffer.extend(data)
        out = []
        while True:
            at = self._buffer.find(b"\n")
            if at + 1 > self._limit or (at < 0 and len(self._buffer) >= self._limit):
                raise ValueError(f"line longer than {self._limit} bytes")
            if at < 0:
                return out
            message = json.loads(str(bytes(self._buffer[:at]), "utf-8"))
            del self._buffer[: at + 1]
            if type(message) is not dict:
                raise ValueError("not an object")
            out.append(message)
