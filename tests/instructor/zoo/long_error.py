"""Report an error of megabytes."""
# contained: EEEE

import os


def attack(world, call):
    data = b'{"id": 1, "error": {"kind": "' + b"E" * 10**6 + b'", "text": "' + b"word " * 500_000
    data += b'", "line": 12345678901}}\n'
    for n in range(3, 10):
        try:
            os.write(n, data)
        except OSError:
            pass
    os._exit(0)
