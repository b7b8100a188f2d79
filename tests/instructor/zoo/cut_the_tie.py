"""Outlive the launcher, by asking the kernel not to end this process with it."""
# contained: Operation not permitted


def attack(world, call):
    call("prctl", 1, 0, 0, 0, 0)
