"""Store something beside a file's content."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.setxattr(world["secret"], "user.mine", b"mine")
