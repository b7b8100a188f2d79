"""The zoo: hostile hand-ins, a file each. What they attack, how they are run, and what must be left of it.

A file of ``zoo/`` has a function ``attack(world, call)``: ``world`` says where its targets are, ``call`` makes a system call
by name or number. Its comments say what the feedback must contain ("|" between alternatives), and whether it takes seconds:

    # contained: Operation not permitted
    # contained by landlock: Permission denied
    # slow

An attack that is contained raises an error or ends its process; one that returns has succeeded. **They are never run
without a sandbox.**
"""

import contextlib
import ctypes
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.exercises.checks.child import StudentCode
from lab.exercises.checks.failures import Failed
from lab.instructor import sandbox, system_calls
from tests.support import ROOT

ZOO = Path(__file__).with_name("zoo")
CALL_S = 3.0
IPC_RMID, IPC_CREAT = 0, 0o1000
PRELUDE = """
import ctypes as _ctypes
import os as _os


def call(name, *arguments):
    number = WORLD["numbers"].get(name, name)
    result = _ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        error = _ctypes.get_errno()
        raise OSError(error, _os.strerror(error))
    return result


"""


@dataclass
class Attack:
    """One file of the zoo."""

    name: str
    code: str

    @property
    def student(self) -> str:
        """An ID for it that is one word, so that a roster finds it."""
        return self.name.replace("_", "-")

    @property
    def slow(self) -> bool:
        return "\n# slow\n" in self.code

    def reasons(self, way: str) -> list[str]:
        """Return what the feedback may say: one of these."""
        [reason] = re.findall(rf"^# contained(?: by {way})?: (.*)", self.code, re.MULTILINE)
        return reason.split(" | ")

    def sheet(self, world: dict) -> str:
        return f"{self.code}\n\nWORLD = {world!r}\n{PRELUDE}"


def attacks() -> list[Attack]:
    return [Attack(path.stem, path.read_text(encoding="utf-8")) for path in sorted(ZOO.glob("*.py"))]


def numbers() -> dict[str, int]:
    """The numbers of all system calls that the filter refuses, by name."""
    column = system_calls.MACHINES[os.uname().machine][1]
    every = {name: pair[column] for calls in system_calls.REFUSED.values() for name, pair in calls.items()}
    return {name: number for name, number in every.items() if number is not None}


class World:
    """Targets outside of the sandbox, that an ordinary process of this user can reach."""

    def __init__(self, folder: Path):
        folder.chmod(0o777)
        self.folder = folder
        self.secret, self.writable = folder / "secret", folder / "writable"
        for path in (self.secret, self.writable):
            path.write_text("secret")
            path.chmod(0o666)
            os.utime(path, (1, 1))
        with contextlib.suppress(OSError):  # a file system without attributes
            os.setxattr(self.secret, "user.kept", b"1")
        self.abstract, self.path, self.datagrams = (
            f"zoo-{os.getpid()}",
            folder / "stream",
            folder / "datagrams",
        )
        self.servers = [socket.create_server(("127.0.0.1", 0))]
        self.servers += [socket.socket(socket.AF_UNIX) for _ in range(2)]
        self.servers[1].bind("\0" + self.abstract)
        self.servers[2].bind(str(self.path))
        for server in self.servers:
            server.listen()
        self.servers.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.servers[3].bind(str(self.datagrams))
        self.servers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.servers[4].bind(self.servers[0].getsockname())
        for server in self.servers:
            server.setblocking(False)
        self.victim = subprocess.Popen(
            [sys.executable, "-S", "-c", "print(flush=True); input()"], stdin=-1, stdout=-1
        )
        self.victim.stdout.readline()
        self.libc = ctypes.CDLL(None)
        self.segment = self.libc.shmget(0, 4096, IPC_CREAT | 0o666)
        self.before = self.state()

    def targets(self) -> dict:
        """What the attacks are told."""
        paths = {"secret": self.secret, "writable": self.writable, "folder": self.folder, "kit": ROOT}
        paths |= {"socket": self.path, "datagrams": self.datagrams}
        port, victim = self.servers[0].getsockname()[1], self.victim.pid
        targets = {"port": port, "victim": victim, "segment": self.segment, "numbers": numbers()}
        return targets | {"abstract": self.abstract} | {name: str(path) for name, path in paths.items()}

    def state(self) -> dict:
        """Everything that an attack could have changed."""
        files = {}
        for path in (self.secret, self.writable):
            status = path.stat()
            attributes = (status.st_mode, status.st_uid, status.st_mtime, os.listxattr(path))
            files[path.name] = (path.read_text(), *attributes)
        pid = self.victim.pid
        return {
            "files": files,
            "names": sorted(os.listdir(self.folder)),
            "shared memory": os.path.exists("/dev/shm/zoo"),
            "victim": self.victim.poll(),
            "limits": resource.prlimit(pid, resource.RLIMIT_CPU),
            "priority": os.getpriority(os.PRIO_PROCESS, pid),
            "cores": os.sched_getaffinity(pid),
            "arrived": [
                name for name, server in zip("tuadi", self.servers, strict=True) if self.arrived(server)
            ],
        }

    @staticmethod
    def arrived(server: socket.socket) -> bool:
        try:
            server.recv(1) if server.type == socket.SOCK_DGRAM else server.accept()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self.victim.kill()
        self.victim.communicate()
        for server in self.servers:
            server.close()
        self.libc.shmctl(self.segment, IPC_RMID, None)


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="lab-zoo-"))  # where the user that root becomes may go, too
    world = World(folder)
    try:
        yield world
    finally:
        world.close()
        shutil.rmtree(folder)


def run(attack: Attack, way: str, folder: Path, world: dict) -> str | None:
    """Run an attack in a sandbox; return the reason why it failed, or None if it has succeeded."""
    sheets = folder / "sheets"
    sheets.mkdir(exist_ok=True)
    sheets.chmod(0o755)
    path = sheets / "attack.py"
    path.write_text(
        attack.sheet({})
        + "\n\ndef start(world):\n    global WORLD\n    WORLD = world\n    return attack(world, call)\n"
    )
    with StudentCode(path, CALL_S, partial(sandbox.command, way=way), sandbox.MEMORY_BYTES) as code:
        try:
            code.call("start", world)
        except Failed as failure:
            return str(failure)
    return None


def main(arguments: list[str]) -> int:
    """Run attacks by name in the strongest sandbox here; print a line of JSON with the way and the reasons."""
    chosen = [attack for attack in attacks() if attack.name in arguments]
    with tempfile.TemporaryDirectory() as temporary, a_world() as world:
        way, _ = sandbox.choose(Path(temporary))
        assert way, "no sandbox here"
        reasons = {attack.name: run(attack, way, Path(temporary), world.targets()) for attack in chosen}
        unharmed = world.state() == world.before
    print(json.dumps({"way": way, "reasons": reasons, "unharmed": unharmed}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
