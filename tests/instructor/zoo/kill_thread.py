"""Kill a thread of another process."""
# contained: Operation not permitted


def attack(world, call):
    call("tgkill", world["victim"], world["victim"], 9)
