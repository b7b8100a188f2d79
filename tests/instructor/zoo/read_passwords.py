"""Read the list of the machine's users."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    return open("/etc/passwd").read()
