"""Write to the grader's terminal."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    open("/dev/tty", "r+").write("mine")
