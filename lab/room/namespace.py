"""A network of one's own, made by an ordinary user: one Linux user + network namespace.

Linux lets any user make a *user namespace* (in which that user is root over what it owns) and, inside it,
a *network namespace*: an empty network stack with nothing but its own loopback. A process in there may record
every packet without sudo, and can neither see nor touch the machine's real network: see
``user_namespaces(7)`` and ``network_namespaces(7)``.

``python -m lab.room.namespace COMMAND ...`` makes both, sets the loopback up and becomes COMMAND. A namespace
lives as long as a process in it, so nothing has to be cleared away afterwards; and COMMAND is killed with
the process that started it (``PR_SET_PDEATHSIG``), so nothing outlives a crash.

Linux only. Some systems forbid it (AppArmor on recent Ubuntu, seccomp in containers): ``NamespaceError`` says so.
"""

import ctypes
import os
import signal
import subprocess
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

EXIT_REFUSED = 125  # what the launcher ends with when the system refuses the namespace


class NamespaceError(OSError):
    """The system refuses a user or network namespace; the text names the step that failed."""


def enter() -> None:
    """Move the calling process (single-threaded) into a new user and network namespace, loopback up.

    Raises NamespaceError where the system refuses.
    """
    if not sys.platform.startswith("linux"):
        raise NamespaceError("network namespaces exist on Linux only")
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise NamespaceError(f"unshare: {os.strerror(ctypes.get_errno())}")
    try:
        # Without a mapping of ids the process owns nothing; setgroups must be given up first (user_namespaces(7)).
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        _loopback_up()
    except OSError as error:
        raise NamespaceError(f"the new namespace cannot be set up: {error}") from error


def launcher(command: list[str]) -> list[str]:
    """The argument list that runs COMMAND inside a new namespace, for ``subprocess``."""
    return [sys.executable, "-m", "lab.room.namespace", *command]


def refusal() -> str | None:
    """Why this system refuses namespaces, or None where it allows them (tried, not guessed)."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    done = subprocess.run(launcher(["true"]), capture_output=True, text=True, cwd=_root(), timeout=30)
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _loopback_up() -> None:
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def main(arguments: list[str]) -> int:
    parent = os.getppid()
    try:
        enter()
    except NamespaceError as error:
        print(error.strerror or error.args[0], file=sys.stderr)
        return EXIT_REFUSED
    die_with_parent()
    if os.getppid() != parent:  # the parent died before we asked
        return 1
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
