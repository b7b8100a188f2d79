"""Leave a file in memory that all processes share."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    open("/dev/shm/zoo", "w").write("mine")
