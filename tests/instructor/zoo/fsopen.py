"""Mount with the newer calls."""
# contained: Operation not permitted


def attack(world, call):
    call("fsopen", b"tmpfs", 0)
