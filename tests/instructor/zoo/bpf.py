"""Load a program into the kernel."""
# contained: Operation not permitted


def attack(world, call):
    call("bpf", 0, bytes(128), 128)
