"""Read a file of the grader's user."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    return open(world["secret"]).read()
