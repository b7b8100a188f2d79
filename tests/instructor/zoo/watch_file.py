"""Watch when a file is used."""
# contained: Operation not permitted


def attack(world, call):
    call("inotify_init1", 0)
