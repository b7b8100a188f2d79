"""Overwrite a file that everybody may write."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    open(world["writable"], "w").write("mine")
