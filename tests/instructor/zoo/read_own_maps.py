"""Read where this process has its memory, to prepare an attack on it."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    return open("/proc/self/maps").read()
