"""Mount a file system over the sandbox."""
# contained: Operation not permitted


def attack(world, call):
    call("mount", b"none", b"/tmp", b"tmpfs", 0, None)
