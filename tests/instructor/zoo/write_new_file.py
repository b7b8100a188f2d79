"""Leave a file where everybody may write."""
# contained by namespaces: No such file
# contained by landlock: Permission denied


def attack(world, call):
    open(world["folder"] + "/mine", "w").write("mine")
