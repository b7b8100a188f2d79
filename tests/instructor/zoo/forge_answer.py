"""Write the answer to another request into the pipe."""
# contained: invalid response

import os


def attack(world, call):
    for n in range(3, 10):
        try:
            os.write(n, b'{"id": 99, "answers": [{"result": true}], "verdict": "passed", "score": 100}\n' * 3)
        except OSError:
            pass
    os._exit(0)
