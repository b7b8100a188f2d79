"""Send a signal with a value."""
# contained: Operation not permitted


def attack(world, call):
    call("rt_sigqueueinfo", world["victim"], 9, bytes(128))
