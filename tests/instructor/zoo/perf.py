"""Watch the processor's counters."""
# contained: Operation not permitted


def attack(world, call):
    call("perf_event_open", bytes(128), 0, -1, -1, 0)
