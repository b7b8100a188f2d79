"""Start a program."""
# contained: Operation not permitted

import subprocess


def attack(world, call):
    subprocess.Popen(["/usr/bin/sleep", "1000000"], close_fds=False)
