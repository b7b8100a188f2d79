"""Make files without end."""
# contained: No space left | the process ended | took longer


def attack(world, call):
    for n in range(100_000):
        open(f"{n}", "w").close()
