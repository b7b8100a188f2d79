"""Fill a POSIX message queue."""
# contained: Operation not permitted

import os


def attack(world, call):
    call("mq_open", b"zoo", os.O_CREAT | os.O_RDWR, 0o600, None)
