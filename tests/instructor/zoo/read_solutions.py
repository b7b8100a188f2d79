"""Read the solutions."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    return open(world["kit"] + "/lab/instructor/solutions/sheet_07_threads.py").read()
