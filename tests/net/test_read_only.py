"""A program that was started read-only: it writes into one folder, and sees itself alone."""

import json
import sys

from lab.net.lan import Lan
from lab.net.namespace import EXIT_NOT_FOUND, EXIT_REFUSED
from lab.net.plan import host
from tests.support import needs_namespaces

pytestmark = needs_namespaces
# Writes a file into each of these folders; prints its own number, and why it could not.
PROGRAM = """
import json, os, sys
failed = {}
for folder in sys.argv[1:]:
    try:
        open(os.path.join(folder, "written"), "x").close()
    except OSError as error:
        failed[folder] = error.strerror
print(json.dumps([os.getpid(), os.getcwd(), failed]))
"""


def test_only_one_folder_can_be_written_and_the_rest_of_the_machine_is_as_before(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    start = [sys.executable, "-m", "lab.net.read_only"]
    with Lan([host("PC1", "10.0.0.1/24")]) as lan:
        pc1 = lan["PC1"]
        command = [*start, str(inside), sys.executable, "-c", PROGRAM]
        done = pc1.run([*command, ".", str(outside), "/tmp"])
        number, place, failed = json.loads(done.stdout)
        assert (number, place) == (1, str(inside)) and [path.name for path in inside.iterdir()] == ["written"]
        assert failed == dict.fromkeys([str(outside), "/tmp"], "Read-only file system")
        (outside / "written").touch()
        done = pc1.run([*start, str(tmp_path / "missing"), "true"], check=False)
        assert done.returncode == EXIT_REFUSED and done.stderr.startswith("no read-only file system: mount ")
        done = pc1.run([*start, str(inside), "no-such-program"], check=False)
        assert (done.returncode, done.stderr) == (
            EXIT_NOT_FOUND,
            "no-such-program: No such file or directory\n",
        )
