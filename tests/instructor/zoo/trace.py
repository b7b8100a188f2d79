"""Trace another process."""
# contained: Operation not permitted


def attack(world, call):
    call("ptrace", 16, world["victim"], 0, 0)
