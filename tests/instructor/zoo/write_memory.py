"""Write into another process's memory."""
# contained: Operation not permitted


def attack(world, call):
    call("process_vm_writev", world["victim"], bytes(16), 1, bytes(16), 1, 0)
