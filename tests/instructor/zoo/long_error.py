"""Report an error of megabytes."""
# contained: EEEE

import os
import sys


def attack(world, call):
    frame = sys._getframe()
    while "message" not in frame.f_locals:
        frame = frame.f_back
    data = b'{"id": %d, "answers": [{"error": {"kind": "' % frame.f_locals["message"]["id"]
    data += b"E" * 10**6 + b'", "text": "' + b"word " * 500_000
    data += b'", "line": 12345678901}}]}\n'
    for n in range(3, 10):
        try:
            os.write(n, data)
        except OSError:
            pass
    os._exit(0)
