"""Open a file by its handle, past all folders."""
# contained: Operation not permitted


def attack(world, call):
    call("name_to_handle_at", -100, world["secret"].encode(), bytes(200), bytes(8), 0)
