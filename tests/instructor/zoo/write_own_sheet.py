"""Change the submission after the first checks."""
# contained by namespaces: Read-only file system
# contained by landlock: Permission denied


def attack(world, call):
    open(__file__, "w").write("mine")
