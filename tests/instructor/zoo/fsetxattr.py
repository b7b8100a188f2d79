"""Store something beside an open file's content."""
# contained: Operation not permitted

import os


def attack(world, call):
    os.setxattr(os.open(__file__, os.O_RDONLY), "user.mine", b"mine")
